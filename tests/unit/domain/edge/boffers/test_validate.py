"""Boffers in JSON: accepted forms, and rules across fields; every rule is in the register."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from oepnode.domain.edge.boffers import validate as boffers
from oepnode.domain.edge.boffers.rules import Capacity, Market
from oepnode.domain.edge.boffers.validate import Context, validate, validate_each
from oepnode.domain.nem.nem_time import period_start
from oepnode.domain.nem.quantities import NO_LIMIT
from oepnode.errors import DocumentFault
from tests.support.boffers import EDGE_MARKET
from tests.support.edge_documents import (
    BANDS,
    DAY,
    NMI,
    OTHER_NMI,
    PRICES,
    bid,
    cautions,
    document,
    duid_boffer,
    finding,
    lines,
    nmi_boffer,
    period,
    renamed,
    system,
    transaction,
    whole_horizon,
)


def one(**changes: Any) -> bytes:
    return document(nmi_boffer(**changes))


def with_bid(**changes: Any) -> bytes:
    return document(nmi_boffer(bid(**changes)))


def with_period(**changes: Any) -> bytes:
    return document(nmi_boffer(bid(period(**changes))))


@pytest.mark.parametrize("write", [document, lines])
def test_part_c_3_3_good_boffers_are_accepted(write: Any) -> None:
    received = validate(write(nmi_boffer(), nmi_boffer(nmi=OTHER_NMI)))
    assert cautions(received) == {}
    assert received.value is not None
    assert [day.identity for day in received.value.days] == [NMI, OTHER_NMI]
    (day, _) = received.value.days
    assert day.trading_date == date(2026, 11, 20)
    assert day.prices.tolist() == [round(price * 100) for price in PRICES]
    assert day.avail.tolist() == [[kw * 1000 for kw in BANDS]]
    assert day.fixed_load.tolist() == [NO_LIMIT]
    assert day.starts().tolist() == [period_start(date(2026, 11, 20), 72)]


def test_hld_4_1_a_good_duid_boffer_is_accepted() -> None:
    received = validate(document(duid_boffer()), Context(step=3))
    assert cautions(received) == {}
    assert received.value is not None
    assert [(day.kind, day.level, len(day.periods)) for day in received.value.days] == [
        ("DUID", "Flex", 288),
        ("DUID", "Flex", 288),
    ]


def test_one_object_over_several_lines_is_read() -> None:
    import json

    assert validate(json.dumps(nmi_boffer(), indent=2).encode()).accepted


def test_other_spellings_are_read_as_the_canonical_ones() -> None:
    odd = nmi_boffer(
        renamed(
            bid(renamed(period(), periodId="periodld", bandAvail="band_avail")),
            prices="Prices",
            energyPeriods="EnergyPeriods",
        ),
        accumulateBands="N",
        bofferSummationLevel="nmi",
    )
    odd = renamed(odd, submissionDateTime="submissionTimestamp", bofferTiming="BofferTiming")
    received = validate(document(odd))
    assert cautions(received) == {}


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'[{"nmi": 1', b"\xff", b"null", b"[1]"])
def test_bytes_without_a_document_are_rejected_with_a_code(data: bytes) -> None:
    assert system(validate(data))


def test_part_c_3_3_a_period_occurs_once() -> None:
    received = validate(document(nmi_boffer(bid(period(71), period(72), period(71)))))
    assert transaction(received) == {"period.duplicate": 1}
    assert finding(received, "period.duplicate").path.endswith("energyPeriods[2].periodId")
    assert received.value is not None
    assert received.value.days[0].periods.tolist() == [71, 72]


def test_part_c_3_3_a_period_occurs_once_in_all_bids_of_a_submission() -> None:
    received = validate(document(nmi_boffer(bid(), bid())))
    assert transaction(received) == {"period.duplicate": 1}
    later = nmi_boffer(submissionDateTime=f"{DAY}T09:51:00+10:00")
    assert validate(document(nmi_boffer(), later)).accepted


def test_part_c_3_3_the_trading_date_is_not_past_at_submission() -> None:
    late = f"{DAY}T03:59:59+10:00"
    assert validate(one(submissionDateTime=late)).accepted
    past = with_bid(tradingDate="2026-11-19")
    received = validate(past)
    assert transaction(received) == {"trading_date.past": 1}
    assert finding(received, "trading_date.past").section == "Part C §3.3 field 5.1"
    # At 03:59:59 of the next day the trading day is still the same.
    assert "trading_date.past" not in transaction(
        validate(one(submissionDateTime="2026-11-21T03:59:59+10:00"))
    )


def test_part_c_3_3_the_receivers_clock_decides_where_it_is_given() -> None:
    now = period_start(date(2026, 11, 21), 1)
    assert transaction(validate(one(), Context(now_s=now))) == {"trading_date.past": 1}
    assert validate(one(), Context(now_s=now - 1)).accepted


def test_part_c_3_3_post_boffers_are_about_the_past() -> None:
    made = {"bofferTiming": "POST", "submissionDateTime": "2026-11-25T00:00:00+10:00"}
    assert validate(one(**made)).accepted


def test_part_c_3_3_post_is_made_after_the_intervals_end() -> None:
    made = {"bofferTiming": "POST", "submissionDateTime": f"{DAY}T09:59:59+10:00"}
    assert transaction(validate(one(**made))) == {"timing.post": 1}
    made["submissionDateTime"] = f"{DAY}T10:00:00+10:00"
    assert validate(one(**made)).accepted


def test_part_c_3_3_pre_after_the_intervals_start_is_a_caution() -> None:
    assert cautions(validate(one(submissionDateTime=f"{DAY}T09:54:59+10:00"))) == {}
    late = one(submissionDateTime=f"{DAY}T09:55:00+10:00")
    assert cautions(validate(late)) == {"timing.pre": 1}


def test_part_c_3_3_accumulated_bands_are_separated() -> None:
    summed = [-60, -60, -60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 10, 10, 10, 10, 10, 80, 80]
    received = validate(document(nmi_boffer(bid(period(bandAvail=summed)), accumulateBands=True)))
    assert received.accepted
    assert received.value is not None
    assert received.value.days[0].avail.tolist() == [[kw * 1000 for kw in BANDS]]


def test_part_c_3_3_accumulated_bands_do_not_shrink_outwards() -> None:
    shrinks = [-50, -60, -60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 10, 10, 10, 10, 10, 80, 70]
    received = validate(document(nmi_boffer(bid(period(bandAvail=shrinks)), accumulateBands="Y")))
    assert transaction(received) == {"bands.accumulation": 2}
    result = finding(received, "bands.accumulation")
    assert result.path.endswith("bandAvail[0]")
    assert (result.section, result.value) == ("Part C §3.3 field 4", "-50 kW")


def test_part_c_3_3_quantities_stay_within_the_capacity() -> None:
    assert validate(one(), Context(capacity=Capacity(-60_000, 80_000))).accepted
    received = validate(one(), Context(capacity=Capacity(-59_999, 79_999)))
    assert sum(transaction(received).values()) == 2


def test_part_c_3_1_floor_and_ceiling_are_among_the_prices() -> None:
    assert validate(one(), Context(market=EDGE_MARKET)).accepted
    prices = [-999, *PRICES[1:10], -999, *PRICES[11:]]
    assert transaction(validate(with_bid(prices=prices), Context(market=EDGE_MARKET)))


def test_hld_4_6_a_quantity_on_the_wrong_side_has_its_own_code() -> None:
    wrong = [5, *BANDS[1:19], -5]
    codes = transaction(validate(with_period(bandAvail=wrong)))
    assert {"boffer.load_sign", "boffer.generation_sign"} <= set(codes)


def test_hld_4_6_prices_that_fall_have_their_own_code() -> None:
    prices = [*PRICES[:4], 78.5, 78.4, *PRICES[6:]]
    received = validate(with_bid(prices=prices))
    assert transaction(received) == {"boffer.price_falls": 1}
    assert finding(received, "boffer.price_falls").path.endswith("energyBids[0].prices[5]")


def test_hld_4_1_a_duid_boffer_has_576_intervals() -> None:
    bids = whole_horizon()
    bids[1]["energyPeriods"].pop()
    assert transaction(validate(document(duid_boffer(*bids)))) == {"boffer.horizon": 1}


def test_hld_4_2_1_a_document_is_about_one_duid() -> None:
    received = validate(document(duid_boffer(), duid_boffer(duid="UNIT2")))
    assert transaction(received) == {"duid.mixed": 1}
    result = finding(received, "duid.mixed")
    assert (result.path, result.value) == ("$.records[1].duid", "'UNIT2'")


def test_a_document_holds_one_kind_of_boffer() -> None:
    received = validate(document(duid_boffer(), nmi_boffer()))
    assert transaction(received) == {"document.mixed_kinds": 1}


REBID = f"{DAY}T03:58:00+10:00"


def test_part_c_1_2_a_rebid_after_gate_closure_keeps_its_prices() -> None:
    first = duid_boffer(submissionDateTime=f"{DAY}T03:56:00+10:00")
    same = duid_boffer(*whole_horizon(), submissionDateTime=REBID)
    for row in same["energyBids"][0]["energyPeriods"]:
        row["bandAvail"] = [0, 0, -1, *BANDS[3:]]
    assert validate(document(first, same)).accepted
    changed = [*PRICES[:3], 78.5, *PRICES[4:]]
    other = duid_boffer(*whole_horizon(prices=changed), submissionDateTime=REBID)
    received = validate(document(first, other))
    assert set(transaction(received)) == {"gate.price_changed"}
    assert finding(received, "gate.price_changed").path == "$.records[1].energyBids[0].prices[3]"
    assert (
        validate(document(first, other), Context(step=2))
        .transaction.counts.keys()
        .isdisjoint({"gate.price_changed"})
    )


def test_part_c_1_2_earlier_boffers_count_for_gate_closure_but_are_not_validated() -> None:
    earlier = validate(document(duid_boffer(submissionDateTime=f"{DAY}T03:56:00+10:00"))).value
    assert earlier is not None
    changed = [*PRICES[:3], 78.5, *PRICES[4:]]
    other = duid_boffer(*whole_horizon(prices=changed), submissionDateTime=REBID)
    assert validate(document(other)).accepted
    received = validate(document(other), Context(earlier=earlier.days))
    assert set(transaction(received)) == {"gate.price_changed"}
    assert finding(received, "gate.price_changed").path.startswith("$.records[0]")


def test_hld_4_5_earlier_boffers_that_were_late_give_no_warning() -> None:
    records = (
        duid_boffer(
            *whole_horizon(dates=("2026-11-18", "2026-11-19")),
            submissionDateTime="2026-11-18T03:57:00+10:00",
        ),
        duid_boffer(submissionDateTime=f"{DAY}T03:57:00+10:00"),
    )
    earlier = validate(document(*records)).value
    assert earlier is not None
    received = validate(
        document(duid_boffer(submissionDateTime=REBID)), Context(earlier=earlier.days)
    )
    assert cautions(received) == {"gate.not_in_time": 1}
    index = "$.records[0].energyBids[0].tradingDate"
    assert finding(received, "gate.not_in_time").path == index


def test_hld_4_4_omitted_prices_are_not_checked_against_the_market() -> None:
    rows = [{"periodId": number, "fixedLoad": 5} for number in range(1, 289)]
    bids = [{"tradingDate": on, "energyPeriods": rows} for on in (DAY, "2026-11-21")]
    received = validate(document(duid_boffer(*bids)), Context(step=2, market=Market(100, 200)))
    assert cautions(received) == {}


def test_a_fixed_load_of_zero_counts_only_with_self_dispatch() -> None:
    bids = whole_horizon()
    rows = bids[0]["energyPeriods"]
    rows[0] |= {"fixedLoad": 0}
    rows[1] |= {"fixedLoad": 0, "selfDispatch": True}
    rows[2] |= {"fixedLoad": -7.5, "maxAvailLoad": -60, "maxAvailGen": 80}
    received = validate(document(duid_boffer(*bids)))
    assert received.value is not None
    day = received.value.days[0]
    assert day.fixed_load[:4].tolist() == [NO_LIMIT, 0, -7500, NO_LIMIT]
    assert day.max_avail_load[1:3].tolist() == [NO_LIMIT, -60_000]
    assert day.max_avail_gen[1:3].tolist() == [NO_LIMIT, 80_000]
    assert cautions(received) == {"boffer.both_ways": 2}


def test_hld_4_4_self_dispatch_without_a_fixed_load_is_rejected_and_clears_no_bands() -> None:
    bids = whole_horizon()
    rows = bids[0]["energyPeriods"]
    rows[3] |= {"selfDispatch": True}
    rows[5] |= {"selfDispatch": False, "fixedLoad": -5}
    rows[7] |= {"selfDispatch": True, "fixedLoad": -5}
    received = validate(document(duid_boffer(*bids)), Context(step=3))
    assert transaction(received) == {"boffer.self_dispatch": 1}
    index = "$.records[0].energyBids[0].energyPeriods[3].selfDispatch"
    assert finding(received, "boffer.self_dispatch").path == index
    assert received.transaction.warning_counts == {
        "boffer.not_self_dispatch": 1,
        "boffer.both_ways": 2,
    }
    (alone,) = validate_each(document(duid_boffer(*bids)))
    assert not alone.received.accepted


def test_findings_beyond_a_hundred_are_counted() -> None:
    rows = [period(1 + n, bandAvail=[5, *BANDS[1:]]) for n in range(288)]
    received = validate(document(nmi_boffer(bid(*rows))))
    assert transaction(received)["boffer.load_sign"] == 288
    kept = [f for f in received.transaction.findings if f.code == "boffer.load_sign"]
    assert len(kept) == 100


def test_broken_prices_do_not_hide_broken_quantities_nor_invent_faults() -> None:
    received = validate(
        document(nmi_boffer(bid(period(bandAvail=[5, *BANDS[1:]]), prices=PRICES[:19]))),
        Context(market=EDGE_MARKET),
    )
    assert system(received) == {"prices.count": 1}
    assert "boffer.load_sign" in received.transaction.counts
    assert not any("price" in code for code in received.transaction.counts)


def test_a_daylight_saving_offset_is_a_warning() -> None:
    received = validate(one(submissionDateTime=f"{DAY}T10:50:00+11:00"))
    assert cautions(received) == {"time.daylight_saving_offset": 1}


def test_a_rejection_can_be_raised_with_codes_and_sections() -> None:
    received = validate(with_bid(tradingDate="2026-11-19"))
    with pytest.raises(DocumentFault) as raised:
        received.raise_if_rejected()
    (fault,) = raised.value.faults
    assert fault.code == "trading_date.past"
    assert "Part C §3.3 field 5.1" in str(fault)
    validate(one()).raise_if_rejected()


def test_the_message_id_names_the_bytes_or_is_given() -> None:
    first, second = validate(one()), validate(one())
    assert first.system.message_id == second.transaction.message_id
    assert first.system.message_id.startswith("sha256-")
    assert validate(one(), message_id="m-1").system.message_id == "m-1"


def test_days_from_columns_follow_the_same_rules() -> None:
    read = validate(document(nmi_boffer(bid(period(71), period(72), period(71))))).value
    assert read is not None
    assert boffers.check_days(read.days).accepted
