"""The register's rows on Boffers: Part C §1.2, §3.1 and §3.3, HLD §4.1 to §4.7."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

import polars as pl

from oepnode.domain.edge.boffers.frame import FRAME, to_frame
from oepnode.domain.edge.boffers.rules import Capacity
from oepnode.domain.edge.boffers.validate import Context, validate, validate_frame
from tests.support.boffers import EDGE_MARKET
from tests.support.edge_documents import (
    BANDS,
    DAY,
    NMI,
    PRICES,
    Exact,
    bid,
    document,
    duid_boffer,
    nmi_boffer,
    period,
    text,
    whole_horizon,
)
from tests.support.rule_register.row import TRANSACTION, WARNING, Check, Rule

Record = dict[str, Any]

PART_C: Final = "Part C §3.3"
_BID: Final = "$.records[0].energyBids[0]"
_PERIOD: Final = f"{_BID}.energyPeriods[0]"


def boffers(context: Context | None = None) -> Check:
    """Validates records as a JSON array."""
    return lambda records: validate(document(*records), context)


def raw(data: bytes) -> Any:
    """Validates bytes."""
    return validate(data)


def rows(frame: pl.DataFrame) -> Any:
    """Validates a file of rows."""
    return validate_frame(frame)


# --- documents -----------------------------------------------------------------------------------


def site(**changes: Any) -> list[Record]:
    """The Boffer of one NMI for one interval."""
    return [nmi_boffer(**changes)]


def site_bid(**changes: Any) -> list[Record]:
    return [nmi_boffer(bid(**changes))]


def site_period(**changes: Any) -> list[Record]:
    return [nmi_boffer(bid(period(**changes)))]


def site_bands(bands: Mapping[int, Any], prices: Mapping[int, Any] | None = None) -> list[Record]:
    """An NMI's Boffer with some of its quantities and prices changed, by band number."""
    return [nmi_boffer(bid(period(bandAvail=changed(BANDS, bands)), prices=priced(prices or {})))]


def unit(
    changes: Mapping[str, Any] | None = None, prices: Sequence[Any] = PRICES, **head: Any
) -> list[Record]:
    """A DUID's Boffer of 48 hours with changes of the first period and the first day's prices."""
    bids = whole_horizon()
    bids[0]["energyPeriods"][0] |= changes or {}
    bids[0]["prices"] = list(prices)
    return [duid_boffer(*bids, **head)]


def units_each(**changes: Any) -> list[Record]:
    """A DUID's Boffer of 48 hours with a change of every period."""
    bids = whole_horizon()
    for result in bids:
        for row in result["energyPeriods"]:
            row.update(changes)
    return [duid_boffer(*bids)]


def changed(values: Sequence[Any], by_band: Mapping[int, Any]) -> list[Any]:
    return [by_band.get(band, value) for band, value in enumerate(values, 1)]


def priced(by_band: Mapping[int, Any]) -> list[Any]:
    return changed(PRICES, by_band)


def frame(*records: Record, **columns: Any) -> pl.DataFrame:
    """Records as a file of rows, with some columns replaced by one value."""
    read = validate(document(*records)).value
    assert read is not None
    return to_frame(read.days).with_columns(
        pl.lit(value).alias(name) for name, value in columns.items()
    )


IDLE: Final = [0] * 20


_POST: Final = {"bofferTiming": "POST", "submissionDateTime": f"{DAY}T10:00:00+10:00"}
_BEFORE: Final = {"submissionDateTime": f"{DAY}T03:00:00+10:00"}


# --- Part C §3.3, field by field; mandatory fields are in the register of fields -----------------

_FIELDS: Final = (
    Rule(f"{PART_C} field 1", "nmi.length", "$.records[0].nmi", boffers(), site(nmi=NMI[:9]),
         site()),
    Rule(f"{PART_C} field 1", "nmi.character", "$.records[0].nmi", boffers(),
         site(nmi="63058884I4"), site(nmi="6305888414")),
    Rule(f"{PART_C} field 1", "nmi.checksum", "$.records[0].nmi", boffers(), site(nmi=NMI + "5"),
         site(nmi=NMI + "6"), case="an eleventh character"),
    Rule(f"{PART_C} field 2", "field.value", "$.records[0].bofferSummationLevel", boffers(),
         site(bofferSummationLevel="Site"), site(bofferSummationLevel="Flex")),
    Rule(f"{PART_C} field 3", "field.value", "$.records[0].bofferTiming", boffers(),
         site(bofferTiming="NOW"), site(bofferTiming="PRE")),
    Rule(f"{PART_C} field 3", "timing.post", "$.records[0].submissionDateTime", boffers(),
         site(bofferTiming="POST", submissionDateTime=f"{DAY}T09:59:59+10:00"),
         site(bofferTiming="POST", submissionDateTime=f"{DAY}T10:00:00+10:00"),
         TRANSACTION, case="before the end of its interval"),
    Rule(f"{PART_C} field 3", "timing.pre", "$.records[0].submissionDateTime", boffers(),
         site(submissionDateTime=f"{DAY}T09:55:00+10:00"),
         site(submissionDateTime=f"{DAY}T09:54:59+10:00"),
         WARNING, case="after the start of its interval"),
    Rule(f"{PART_C} field 4", "field.type", "$.records[0].accumulateBands", boffers(),
         site(accumulateBands="yes"), site(accumulateBands="N")),
    Rule(f"{PART_C} field 4", "bands.accumulation", f"{_PERIOD}.bandAvail[1]", boffers(),
         [nmi_boffer(bid(period(bandAvail=[-70, -60, -70, *IDLE[3:]])), accumulateBands="Y")],
         [nmi_boffer(bid(period(bandAvail=[-70, -70, -70, *IDLE[3:]])), accumulateBands="Y")],
         TRANSACTION, case="load that shrinks outwards"),
    Rule(f"{PART_C} field 4", "bands.accumulation", f"{_PERIOD}.bandAvail[19]", boffers(),
         [nmi_boffer(bid(period(bandAvail=[*IDLE[:18], 70, 60])), accumulateBands="Y")],
         [nmi_boffer(bid(period(bandAvail=[*IDLE[:18], 70, 70])), accumulateBands="Y")],
         TRANSACTION, case="generation that shrinks outwards"),
    Rule(f"{PART_C} field 5", "array.length", "$.records[0].energyBids", boffers(),
         site(energyBids=[]), site()),
    Rule(f"{PART_C} field 5.1", "time.format", f"{_BID}.tradingDate", boffers(),
         site_bid(tradingDate="20-11-2026"), site(), case="not yyyy-mm-dd"),
    Rule(f"{PART_C} field 5.1", "time.format", f"{_BID}.tradingDate", boffers(),
         site_bid(tradingDate="2026-11-31"), site_bid(tradingDate="2026-11-30"),
         case="no such day"),
    Rule(f"{PART_C} field 5.1", "trading_date.past", f"{_BID}.tradingDate", boffers(),
         site_bid(tradingDate="2026-11-19"), site(), TRANSACTION, also={"timing.pre": 1}),
    Rule(f"{PART_C} field 5.1", "trading_date.past", f"{_BID}.tradingDate", boffers(),
         [nmi_boffer(bid(tradingDate="2026-11-19"), bofferTiming="PRE")],
         [nmi_boffer(bid(tradingDate="2026-11-19"), bofferTiming="POST")],
         TRANSACTION, also={"timing.pre": 1}, case="not required of POST"),
    Rule(f"{PART_C} field 5.2", "prices.count", f"{_BID}.prices", boffers(),
         site_bid(prices=PRICES[:19]), site_bid(prices=PRICES), case="19"),
    Rule(f"{PART_C} field 5.2", "prices.count", f"{_BID}.prices", boffers(),
         site_bid(prices=[*PRICES, 15101]), site_bid(prices=PRICES), case="21"),
    Rule(f"{PART_C} field 5.2", "price.decimals", f"{_BID}.prices[12]", boffers(),
         site_bid(prices=priced({13: Exact("1.101")})),
         site_bid(prices=priced({13: Exact("1.11")})), case="three decimals"),
    Rule(f"{PART_C} field 5.2", "price.range", f"{_BID}.prices[19]", boffers(),
         site_bid(prices=priced({20: Exact("1e12")})), site()),
    Rule(f"{PART_C} field 5.2", "number.constant", f"{_BID}.prices[19]", boffers(),
         site_bid(prices=priced({20: Exact("NaN")})), site()),
    Rule(f"{PART_C} field 5.3", "periods.count", f"{_BID}.energyPeriods", boffers(),
         site_bid(energyPeriods=[*map(period, range(1, 289)), period(1)]),
         site(energyBids=[bid(*map(period, range(1, 289)))],
              **_BEFORE),
         also={"period.duplicate": 1, "timing.pre": 1}, case="289"),
    Rule(f"{PART_C} field 5.3", "periods.count", f"{_BID}.energyPeriods", boffers(),
         site_bid(energyPeriods=[]), site(), case="none"),
    Rule(f"{PART_C} field 5.3", "period.duplicate", f"{_BID}.energyPeriods[2].periodId", boffers(),
         [nmi_boffer(bid(period(72), period(73), period(72)))],
         [nmi_boffer(bid(period(72), period(73), period(74)))], TRANSACTION),
    Rule(f"{PART_C} field 5.3", "period.duplicate",
         "$.records[0].energyBids[1].energyPeriods[0].periodId", boffers(),
         [nmi_boffer(bid(), bid())], [nmi_boffer(bid(), bid(period(73)))],
         TRANSACTION, case="in another bid of the day"),
    *(
        Rule(f"{PART_C} field 5.3", "field.unknown", _PERIOD, boffers(),
             site_period(**{name: 0}), site(), case=f"{name} is of DUIDs")
        for name in ("maxAvailLoad", "maxAvailGen", "fixedLoad")
    ),
    *(
        Rule(f"{PART_C} field 5.3.1", "period.range", f"{_PERIOD}.periodId", boffers(),
             site(energyBids=[bid(period(number))], **_BEFORE),
             site(energyBids=[bid(period(1), period(288))], **_BEFORE), case=f"period {number}")
        for number in (-1, 0, 289)
    ),
    Rule(f"{PART_C} field 5.3.1", "field.type", f"{_PERIOD}.periodId", boffers(),
         site_period(number=Exact("72.5")), site_period(number=72), case="not whole"),
    Rule(f"{PART_C} field 5.3.2", "bands.count", f"{_PERIOD}.bandAvail", boffers(),
         site_period(bandAvail=BANDS[:19]), site_period(bandAvail=BANDS), case="19"),
    Rule(f"{PART_C} field 5.3.2", "bands.count", f"{_PERIOD}.bandAvail", boffers(),
         site_period(bandAvail=[*BANDS, 0]), site_period(bandAvail=BANDS), case="21"),
    Rule(f"{PART_C} field 5.3.2", "power.decimals", f"{_PERIOD}.bandAvail[2]", boffers(),
         site_bands({3: Exact("-60.0001")}), site_bands({3: Exact("-60.001")})),
    Rule(f"{PART_C} field 5.3.2", "power.range", f"{_PERIOD}.bandAvail[2]", boffers(),
         site_bands({3: Exact("-2147483.648")}), site_bands({3: Exact("-2147483.647")})),
    Rule(f"{PART_C} field 5.3.2", "boffer.capacity", f"{_PERIOD}.bandAvail",
         boffers(Context(capacity=Capacity(-60_000, 80_000))),
         site_bands({2: Exact("-0.001")}), site_bands({}), TRANSACTION, case="load"),
    Rule(f"{PART_C} field 5.3.2", "boffer.capacity", f"{_PERIOD}.bandAvail",
         boffers(Context(capacity=Capacity(-60_000, 80_000))),
         site_bands({20: Exact("0.001")}), site_bands({}), TRANSACTION, case="generation"),
    Rule(f"{PART_C} field 6", "time.format", "$.records[0].submissionDateTime", boffers(),
         site(submissionDateTime="20/11/2026 09:50"), site()),
    Rule(f"{PART_C} field 6", "submission.duplicate", "$.records[1].submissionDateTime", boffers(),
         [*site(), *site()], [*site(), *site(submissionDateTime=f"{DAY}T09:50:01+10:00")], WARNING,
         case="a copy"),
    Rule(f"{PART_C} field 5.3", "period.duplicate",
         "$.records[1].energyBids[0].energyPeriods[0].periodId", boffers(),
         [*site(), *site_bands({3: -61})],
         [*site(), *site(nmi="2001985732")], TRANSACTION, case="another content of one submission"),
    Rule(f"{PART_C} field 6", "time.no_offset", "$.records[0].submissionDateTime", boffers(),
         site(submissionDateTime=f"{DAY}T09:50:00"),
         site(submissionDateTime=f"{DAY}T09:50:00+10:00"), WARNING),
    Rule(f"{PART_C} field 6", "time.daylight_saving_offset", "$.records[0].submissionDateTime",
         boffers(), site(submissionDateTime=f"{DAY}T10:50:00+11:00"),
         site(submissionDateTime="2026-11-19T23:50:00Z"), WARNING),
)  # fmt: skip

# --- Part C §3.1 and gate closure ----------------------------------------------------------------


def unit_of(first: int) -> list[Record]:
    """A DUID's Boffer of the 48 hours from a day of November on, submitted as they begin."""
    dates = f"2026-11-{first}", f"2026-11-{first + 1}"
    submitted = f"{dates[0]}T03:57:00+10:00"
    return [duid_boffer(*whole_horizon(dates=dates), submissionDateTime=submitted)]


_FIRST: Final = unit_of(19)
_LATER: Final = {"submissionDateTime": f"{DAY}T03:58:00+10:00"}
_MORE: Final = {"bandAvail": changed(BANDS, {3: -61})}

_OFFER: Final = (
    Rule("Part C §3.1", "boffer.market_ends", f"{_BID}.prices",
         boffers(Context(market=EDGE_MARKET)),
         site_bid(prices=priced({1: -999, 11: -999})), site(), TRANSACTION, case="floor"),
    Rule("Part C §3.1", "boffer.market_ends", f"{_BID}.prices",
         boffers(Context(market=EDGE_MARKET)),
         site_bid(prices=priced({10: 15_000, 20: 15_000})), site(), TRANSACTION, case="ceiling"),
    Rule("Part C §2.3, §3.1", "timing.level", "$.records[0].bofferSummationLevel", boffers(),
         site(**_POST, bofferSummationLevel="Flex"), site(**_POST), WARNING),
    Rule("Part C §1.2 Gate Closure, HLD §4.1", "gate.price_changed",
         "$.records[1].energyBids[0].prices[3]", boffers(),
         [*_FIRST, *unit(_MORE, priced({4: 78.01}), **_LATER)],
         [*_FIRST, *unit(_MORE, **_LATER)], TRANSACTION, case="quantities may change"),
    *(
        Rule("Part C §1.2 Gate Closure, HLD §4.1", "gate.price_changed",
             "$.records[1].energyBids[0].prices[3]", boffers(Context(step=step)),
             [*_FIRST, *unit({}, priced({4: 78.01}), **_LATER)],
             [*_FIRST, *unit({}, **_LATER)], TRANSACTION, case=f"step {step}")
        for step in (1, 3)
    ),
    *(
        Rule("HLD §4.3, §4.5", "gate.not_in_time", "$.records[1].energyBids[0].tradingDate",
             boffers(Context(step=step)), [*unit_of(18), *unit_of(20)],
             [*unit_of(19), *unit_of(20)], WARNING, case=f"step {step}")
        for step in (None, 1, 3)
    ),
)  # fmt: skip

# --- HLD §4.1 to §4.5 ----------------------------------------------------------------------------


def _short() -> list[Record]:
    bids = whole_horizon()
    bids[1]["energyPeriods"].pop()
    return [duid_boffer(*bids)]


def _fixed() -> list[Record]:
    return units_each(fixedLoad=-5, bandAvail=IDLE)


def _all_but_first(first: Mapping[str, Any]) -> list[Record]:
    """Fixed loads alone, but for the first period."""
    (record,) = _fixed()
    record["energyBids"][0]["energyPeriods"][0] = {"periodId": 1, **first}
    return [record]


def self_dispatched(first: Mapping[str, Any] | None = None, **day: Any) -> list[Record]:
    """Fixed loads alone, without prices and quantities, but for the first period and first day."""
    (record,) = _fixed()
    for result in record["energyBids"]:
        del result["prices"]
        result["energyPeriods"] = [
            {"periodId": row["periodId"], "fixedLoad": -5} for row in result["energyPeriods"]
        ]
    result = record["energyBids"][0]
    result.update(day)
    result["energyPeriods"][0] |= first or {}
    return [record]


def priced_days(document: list[Record]) -> list[Record]:
    """The same with prices."""
    for result in document[0]["energyBids"]:
        result["prices"] = list(PRICES)
    return document


def without_bands(**changes: Any) -> list[Record]:
    """A DUID's Boffer whose first period states no quantities."""
    (record,) = unit()
    record["energyBids"][0]["energyPeriods"][0] = {"periodId": 1, **changes}
    return [record]


def without_prices() -> list[Record]:
    """A DUID's Boffer whose first day states no prices."""
    (record,) = unit()
    del record["energyBids"][0]["prices"]
    return [record]


def _unpriced(rows_: pl.DataFrame) -> pl.DataFrame:
    """A file of rows without prices."""
    return rows_.with_columns(pl.lit(None, dtype=FRAME["prices"]).alias("prices"))


_STATED: Final = (
    Rule("HLD §4.3", "field.missing", f"{_BID}.prices", boffers(Context(step=1)),
         without_prices(), unit()),
    Rule("HLD §4.3", "field.missing", f"{_PERIOD}.bandAvail", boffers(Context(step=1)),
         without_bands(), without_bands(bandAvail=IDLE), case="quantities"),
    Rule("HLD §4.4", "boffer.step2_no_fixed", f"{_PERIOD}.fixedLoad", boffers(Context(step=2)),
         self_dispatched({"fixedLoad": 0}),
         self_dispatched({"fixedLoad": 0, "selfDispatch": True}), TRANSACTION,
         case="without prices and quantities"),
    Rule("HLD §4.5", "field.missing", f"{_BID}.prices", boffers(Context(step=3)),
         self_dispatched(), priced_days(self_dispatched()), count=2),
    Rule("HLD §4.5", "field.missing", f"{_PERIOD}.bandAvail", boffers(Context(step=3)),
         without_bands(), without_bands(fixedLoad=-5), also={"boffer.step3_nothing": 1},
         case="quantities"),
    Rule("HLD §4.6 (4)", "field.missing", f"{_BID}.prices", boffers(),
         self_dispatched({"bandAvail": BANDS}), self_dispatched({"bandAvail": IDLE}),
         also={"boffer.both_ways": 1}, case="quantities without prices"),
    Rule("HLD §4.6 (4)", "field.missing", f"{_BID}.prices", boffers(Context(step=2)),
         self_dispatched({"bandAvail": BANDS}), self_dispatched(),
         also={"boffer.both_ways": 1, "boffer.step2_bands": 1},
         case="quantities without prices in step 2"),
    Rule("Part C §3.3 field 5.2", "field.null", f"{_BID}.prices", boffers(),
         self_dispatched(prices=None), self_dispatched(), case="no prices of a DUID"),
    Rule("Part C §3.3 field 5.2", "prices.count", f"{_BID}.prices", boffers(Context(step=2)),
         self_dispatched(prices=[]), self_dispatched(), case="none"),
    Rule("Part C §3.3 field 5.3.2", "field.null", f"{_PERIOD}.bandAvail", boffers(),
         self_dispatched({"bandAvail": None}), self_dispatched(), case="no quantities of a DUID"),
)  # fmt: skip

_STEPS: Final = (
    Rule("HLD §4.1", "duid.form", "$.records[0].duid", boffers(), unit(duid="UNIT 1"),
         unit(duid="UNIT-1")),
    Rule("HLD §4.1", "boffer.horizon", "$.records[0]", boffers(), _short(), unit(), TRANSACTION,
         case="575 intervals"),
    Rule("HLD §4.2.1", "duid.mixed", "$.records[1].duid", boffers(),
         [*unit(), *unit(duid="UNIT2")],
         [*unit(), *unit(submissionDateTime=f"{DAY}T03:56:00+10:00")], TRANSACTION),
    Rule("HLD §4.2.1", "document.mixed_kinds", "$.records[1]", boffers(), [*unit(), *site()],
         [*site(), *site(nmi="2001985732")], TRANSACTION),
    Rule("HLD §4.1, §4.7 Boffer Processing", "boffer.mixed_levels",
         "$.records[1].bofferSummationLevel", boffers(),
         [*unit(), *unit(bofferSummationLevel="NMI")],
         [*unit(), *unit(submissionDateTime=f"{DAY}T03:56:00+10:00")], WARNING),
    *(
        Rule(section, "field.type", f"{_PERIOD}.{name}", boffers(), unit({name: "1"}),
             unit({name: None}))
        for section, name in (("HLD §4.2.4", "maxAvailLoad"), ("HLD §4.2.5", "maxAvailGen"),
                              ("HLD §4.4", "selfDispatch"))
    ),
    Rule("HLD §4.2.4", "boffer.max_avail_capacity", f"{_PERIOD}.maxAvailLoad",
         boffers(Context(capacity=Capacity(-60_000, 80_000))),
         unit({"maxAvailLoad": Exact("-60.001")}), unit({"maxAvailLoad": -60}), TRANSACTION),
    Rule("HLD §4.2.5", "boffer.max_avail_capacity", f"{_PERIOD}.maxAvailGen",
         boffers(Context(capacity=Capacity(-60_000, 80_000))),
         unit({"maxAvailGen": Exact("80.001")}), unit({"maxAvailGen": 80}), TRANSACTION),
    Rule("HLD §4.3", "boffer.step1_fixed", f"{_PERIOD}.fixedLoad", boffers(Context(step=1)),
         unit({"fixedLoad": -5, "bandAvail": IDLE}), unit({"fixedLoad": 0}), TRANSACTION),
    Rule("HLD §4.4", "boffer.step2_no_fixed", f"{_PERIOD}.fixedLoad", boffers(Context(step=2)),
         _all_but_first({"bandAvail": IDLE, "fixedLoad": 0}),
         _all_but_first({"bandAvail": IDLE, "fixedLoad": 0, "selfDispatch": True}), TRANSACTION),
    Rule("HLD §4.4", "boffer.step2_bands", f"{_PERIOD}.bandAvail", boffers(Context(step=2)),
         _all_but_first({"bandAvail": BANDS, "fixedLoad": -5}), _fixed(), TRANSACTION,
         also={"boffer.both_ways": 1}),
    *(
        Rule("HLD §4.4", "boffer.self_dispatch", f"{_PERIOD}.selfDispatch", boffers(),
             unit({"selfDispatch": True, "bandAvail": IDLE, **fixed}),
             unit({"selfDispatch": True, "bandAvail": IDLE, "fixedLoad": 0}), TRANSACTION,
             case=f"fixed load {case}")
        for case, fixed in (("left out", {}), ("null", {"fixedLoad": None}))
    ),
    Rule("HLD §4.4", "boffer.not_self_dispatch", f"{_PERIOD}.selfDispatch", boffers(),
         unit({"selfDispatch": False, "bandAvail": IDLE, "fixedLoad": -5}),
         unit({"selfDispatch": False, "fixedLoad": 0}), WARNING),
    Rule("HLD §4.5", "boffer.step3_nothing", f"{_PERIOD}.bandAvail", boffers(Context(step=3)),
         unit({"bandAvail": IDLE}), unit({"bandAvail": IDLE, "fixedLoad": -5}), WARNING),
)  # fmt: skip

# --- HLD §4.6 and §4.7 ---------------------------------------------------------------------------

_RULES: Final = (
    Rule("HLD §4.6 (3)", "boffer.price_falls", f"{_BID}.prices[4]", boffers(),
         unit(prices=priced({5: 77})), unit(prices=priced({5: 78})), TRANSACTION, case="load"),
    Rule("HLD §4.6 (3)", "boffer.price_falls", f"{_BID}.prices[14]", boffers(),
         unit(prices=priced({15: 77})), unit(prices=priced({15: 78})), TRANSACTION,
         case="generation"),
    Rule("HLD §4.6 (3)", "boffer.market_range", f"{_BID}.prices[0]",
         boffers(Context(market=EDGE_MARKET)), unit(prices=priced({1: Exact("-1000.01")})),
         unit(), TRANSACTION, case="floor"),
    Rule("HLD §4.6 (3)", "boffer.market_range", f"{_BID}.prices[19]",
         boffers(Context(market=EDGE_MARKET)), unit(prices=priced({20: Exact("15100.01")})),
         unit(), TRANSACTION, case="ceiling"),
    Rule("HLD §4.6 (5)", "boffer.max_avail_gen", f"{_PERIOD}.maxAvailGen", boffers(),
         unit({"maxAvailGen": Exact("-0.001")}), unit({"maxAvailGen": 0}), TRANSACTION),
    Rule("HLD §4.6 (5), (6)", "boffer.fixed_bound", f"{_PERIOD}.fixedLoad", boffers(),
         unit({"fixedLoad": 81, "maxAvailGen": 80, "bandAvail": IDLE}),
         unit({"fixedLoad": 80, "maxAvailGen": 80, "bandAvail": IDLE}), WARNING,
         case="generation"),
    Rule("HLD §4.6 (5), (6)", "boffer.fixed_bound", f"{_PERIOD}.fixedLoad", boffers(),
         unit({"fixedLoad": -61, "maxAvailLoad": -60, "bandAvail": IDLE}),
         unit({"fixedLoad": -60, "maxAvailLoad": -60, "bandAvail": IDLE}), WARNING, case="load"),
    Rule("HLD §4.6 (6)", "boffer.max_avail_load", f"{_PERIOD}.maxAvailLoad", boffers(),
         unit({"maxAvailLoad": Exact("0.001")}), unit({"maxAvailLoad": 0}), TRANSACTION),
    Rule("HLD §4.6 (7)", "boffer.load_sign", f"{_PERIOD}.bandAvail[9]", boffers(),
         unit({"bandAvail": changed(IDLE, {10: Exact("0.001")})}),
         unit({"bandAvail": changed(IDLE, {10: Exact("-0.001")})}), TRANSACTION),
    Rule("HLD §4.6 (8)", "boffer.generation_sign", f"{_PERIOD}.bandAvail[19]", boffers(),
         unit({"bandAvail": changed(IDLE, {20: Exact("-0.001")})}),
         unit({"bandAvail": changed(IDLE, {20: Exact("0.001")})}), TRANSACTION),
    Rule("HLD §4.6 (9)", "boffer.transition", f"{_PERIOD}.bandAvail[2]", boffers(),
         unit({"bandAvail": [5, 0, -60, *IDLE[3:]]}),
         unit({"bandAvail": [-5, 0, -60, *IDLE[3:]]}), TRANSACTION, also={"boffer.load_sign": 1}),
    Rule("HLD §4.6 (9), §4.7 Price Bands", "boffer.crossing", f"{_PERIOD}.bandAvail", boffers(),
         unit({"bandAvail": changed(IDLE, {4: -5, 13: 5})}),
         unit({"bandAvail": changed(IDLE, {4: -5, 15: 5})}), TRANSACTION),
    Rule("HLD §4.6 (11)", "field.type", f"{_PERIOD}.fixedLoad", boffers(),
         unit({"fixedLoad": "-5"}), unit({"fixedLoad": -5, "bandAvail": IDLE})),
    Rule("HLD §4.6 (11)", "boffer.both_ways", f"{_PERIOD}.fixedLoad", boffers(),
         unit({"fixedLoad": -5}), unit({"fixedLoad": 0}), WARNING),
    Rule("HLD §4.7 Price Bands", "boffer.price_repeats", f"{_PERIOD}.bandAvail[4]", boffers(),
         unit({"bandAvail": changed(IDLE, {4: -5, 5: -5})}, priced({5: 78})),
         unit({"bandAvail": changed(IDLE, {4: -5, 5: 0})}, priced({5: 78})), TRANSACTION,
         case="load"),
    Rule("HLD §4.7 Price Bands", "boffer.price_repeats", f"{_PERIOD}.bandAvail[14]", boffers(),
         unit({"bandAvail": changed(IDLE, {14: 5, 15: 5})}, priced({15: 78})),
         unit({"bandAvail": changed(IDLE, {14: 0, 15: 5})}, priced({15: 78})), TRANSACTION,
         case="generation"),
    Rule("HLD §4.7 $/non-zero quantity", "boffer.shared_price", f"{_PERIOD}.bandAvail[13]",
         boffers(), unit({"bandAvail": changed(IDLE, {4: -5, 14: 5})}),
         unit({"bandAvail": changed(IDLE, {4: -5, 15: 5})}), TRANSACTION),
)  # fmt: skip

# --- other bytes, and files of rows --------------------------------------------------------------

_GOOD: Final = document(*site())

_TEXTS: Final = (
    Rule("RFC 8259", "json.bom", "$", raw, b"\xef\xbb\xbf" + _GOOD, _GOOD),
    Rule("RFC 8259", "json.duplicate_key", "$.records[0]", raw,
         _GOOD.replace(b'"bofferTiming"', b'"bofferTiming":"PRE","bofferTiming"'), _GOOD),
    Rule("RFC 8259", "json.nesting", "$", raw, b"[" * 2000, _GOOD),
    Rule("RFC 8259", "json.syntax", "$.records[0]", raw, _GOOD[:-1], _GOOD),
    Rule("RFC 8259", "json.trailing", "$", raw, _GOOD + b"[]", _GOOD + b"\n"),
    Rule("RFC 8259", "json.utf8", "$", raw, b"\xff" + _GOOD, _GOOD),
    Rule(PART_C, "document.empty", "$", raw, b"[]", _GOOD),
    Rule(PART_C, "field.type", "$.records[0]", raw, b"[7]", text(site()).encode()),
)  # fmt: skip

_SITE: Final = frame(*site())

_ROWS: Final = (
    Rule(PART_C, "document.empty", "$", rows, _SITE.clear(), _SITE, case="no rows"),
    Rule(f"{PART_C} field 5.1", "column.missing", "$.columns.trading_date", rows,
         _SITE.drop("trading_date"), _SITE),
    Rule(f"{PART_C} field 5.3.1", "column.type", "$.columns.period", rows,
         frame(*site(), period="72"), frame(*site(), period=72)),
    Rule(PART_C, "column.unknown", "$.columns", rows, frame(*site(), colour=1), _SITE, WARNING),
    Rule(f"{PART_C} field 6", "number.range", "$.rows[0].submitted_us", rows,
         _SITE.with_columns(pl.lit(2**64 - 1, pl.UInt64).alias("submitted_us")), _SITE),
    Rule(f"{PART_C} field 6", "time.format", "$.rows[0].submitted_us", rows,
         _SITE.with_columns(pl.lit(2**62).alias("submitted_us")), _SITE, case="in rows"),
    Rule(f"{PART_C} field 6", "time.format", "$.rows[0].submitted_us", rows,
         _SITE.with_columns(pl.lit(-1).alias("submitted_us")), _SITE, case="before 1970"),
    Rule(f"{PART_C} field 5.1", "time.format", "$.rows[0].trading_date", rows,
         _SITE.with_columns(pl.lit(date(1, 1, 1)).alias("trading_date")), _SITE, case="in rows"),
    Rule(f"{PART_C} field 5.2", "number.range", "$.rows[0].prices", rows,
         _SITE.with_columns(pl.lit([-(2**63)] * 20, pl.Array(pl.Int64, 20)).alias("prices")),
         _SITE, case="in rows"),
    Rule(f"{PART_C} field 5.3.2", "number.range", "$.rows[0].avail", rows,
         _SITE.with_columns(pl.lit([-(2**31)] * 20, pl.Array(pl.Int32, 20)).alias("avail")),
         _SITE, case="in rows"),
    Rule(f"{PART_C} field 5.3.1", "period.range", "$.rows[0].period", rows,
         frame(*site(), period=289), frame(*site(), period=288), case="in rows"),
    Rule("HLD §4.6 (4)", "field.missing", "$.rows[0].prices", rows, _unpriced(frame(*unit())),
         _unpriced(frame(*self_dispatched())), count=2, case="in rows"),
    Rule("HLD §4.6 (7)", "boffer.load_sign", "$.rows[0].avail[0]", rows,
         frame(*site_bands({1: -5})).with_columns(
             pl.Series("avail", [[5, *IDLE[1:]]], dtype=pl.List(pl.Int32))),
         frame(*site_bands({1: -5})), TRANSACTION, case="in rows"),
)  # fmt: skip

RULES: Final = (*_FIELDS, *_OFFER, *_STATED, *_STEPS, *_RULES, *_TEXTS, *_ROWS)
"""Every row on Boffers."""
