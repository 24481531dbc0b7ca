"""Boffers constrained to envelopes of a document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from oepnode.client.answers import to_json
from oepnode.client.edge.boffers.constraining import (
    check_constrained,
    constrain_boffers,
    write_constrained,
)
from oepnode.client.edge.boffers.load import (
    LoadedBoffers,
    NoBofferError,
    RulesRejectedError,
    load_boffers,
    write_boffers,
)
from oepnode.client.edge.boffers.pictures import draw_constrained
from oepnode.client.edge.boffers.selection import BofferChoice
from oepnode.client.edge.envelopes import LoadedEnvelopes, load_envelopes
from oepnode.domain.edge.boffers import model
from oepnode.domain.edge.boffers.model import BofferDay
from oepnode.domain.edge.constraining.constrain import PortfolioUnknownError, PostEnvelopeError
from oepnode.domain.edge.constraining.limits import MissingLimitError
from oepnode.domain.edge.validation.acknowledgement import Acknowledgement
from oepnode.domain.nem.nem_time import parse_trading_date, trading_period
from oepnode.domain.nem.quantities import DefaultLimits
from oepnode.errors import ConfigError
from tests.support.boffers import avail, prices
from tests.support.telemetry_columns import START, A, B, record

DAY, PERIOD = trading_period(START)
SUBMITTED = (START - 600) * 1_000_000


@pytest.fixture
def envelopes(tmp_path: Path) -> LoadedEnvelopes:
    records = [record(nmi, [(1.5, -2), (1.5, -7)]) for nmi in (A, B)]
    (tmp_path / "e.json").write_text(json.dumps(records))
    return load_envelopes(tmp_path / "e.json")


def offer(
    name: str = A, kind: str = "NMI", count: int = 2, submitted_us: int = SUBMITTED
) -> BofferDay:
    settings: dict[str, Any] = {"kind": kind, "submitted_us": submitted_us}
    periods = list(range(PERIOD, PERIOD + count))
    return model.make_day(
        name, DAY, prices(), avail({3: -4, 19: 7}, count), periods=periods, **settings
    )


def loaded(*days: BofferDay) -> LoadedBoffers:
    return LoadedBoffers("b.json", days, Acknowledgement("transaction", "b.json", accepted=True))


def test_a_site_is_constrained_to_its_own_envelope(envelopes: LoadedEnvelopes) -> None:
    result = constrain_boffers(loaded(offer()), envelopes)
    (first,) = result.offers
    assert (result.breaches, first.summed_nmis) == (2, 1)
    assert first.generation_cut_wh == 917
    assert first.breaching_intervals["export_limit_w"].to_list() == [1500, 1500]
    assert first.breaching_intervals["over_import_w"].to_list() == [2000, 0]
    trims = first.trims.filter(first.trims["period"] == PERIOD).to_dicts()
    assert [(row["quantity"], row["kept_w"]) for row in trims] == [
        ("band 3", -2000),
        ("band 19", 1500),
    ]
    assert result.constrained[0].avail[0, 18] == 1500
    value = to_json(result.report())
    assert (value["constrained_transaction"], value["envelope"]["kind"]) == (None, "document")
    assert A not in repr(result)


def test_a_unit_needs_its_portfolio_where_envelopes_are_a_document(
    envelopes: LoadedEnvelopes,
) -> None:
    boffers = loaded(offer("UNIT1", "DUID"))
    with pytest.raises(PortfolioUnknownError):
        constrain_boffers(boffers, envelopes)
    with pytest.raises(ConfigError, match="names no NMI"):
        constrain_boffers(boffers, envelopes, portfolio=())
    with pytest.raises(MissingLimitError, match=r"4 limits .*; 1 NMI has no envelope") as caught:
        constrain_boffers(boffers, envelopes, portfolio={A, "6305009999"})
    assert caught.value.unpublished == 1
    result = constrain_boffers(boffers, envelopes, portfolio={A, B})
    assert (result.offers[0].duid, result.offers[0].summed_nmis) == ("UNIT1", 2)


def test_intervals_outside_need_a_default_or_are_left_alone(envelopes: LoadedEnvelopes) -> None:
    boffers = loaded(offer(count=3))
    with pytest.raises(MissingLimitError):
        constrain_boffers(boffers, envelopes)
    covered = constrain_boffers(boffers, envelopes, is_covered_only=True)
    assert (covered.intervals_outside, covered.breaches) == (1, 2)
    filled = constrain_boffers(boffers, envelopes, default=DefaultLimits(0, 0))
    assert (filled.defaults_used, filled.breaches) == (2, 3)


def test_post_envelopes_limit_a_pre_boffer_only_where_allowed(tmp_path: Path) -> None:
    post = [record(A, [(1.5, -2)] * 2, timing="POST")]
    (tmp_path / "p.json").write_text(json.dumps(post))
    envelopes = load_envelopes(tmp_path / "p.json")
    with pytest.raises(PostEnvelopeError):
        constrain_boffers(loaded(offer()), envelopes)
    assert constrain_boffers(loaded(offer()), envelopes, is_post_allowed=True).breaches == 2


def test_a_date_without_a_boffer_is_an_error(envelopes: LoadedEnvelopes) -> None:
    choice = BofferChoice(date=parse_trading_date("2020-01-01"))
    with pytest.raises(NoBofferError, match="trading date 2020-01-01"):
        constrain_boffers(loaded(offer()), envelopes, choice=choice)


def test_constrained_boffers_are_checked_before_they_are_written(
    envelopes: LoadedEnvelopes, tmp_path: Path
) -> None:
    result = constrain_boffers(loaded(offer()), envelopes)
    checked = check_constrained(result, "o.json", submitted_us=SUBMITTED + 1)
    write_boffers(tmp_path / "o.json", checked.constrained)
    (again,) = load_boffers(tmp_path / "o.json").days
    assert (again.submitted_us, again.avail[1, 18]) == (SUBMITTED + 1, 1500)
    assert constrain_boffers(loaded(again), envelopes).breaches == 0
    late = SUBMITTED + 86_400_000_000
    with pytest.raises(RulesRejectedError) as caught:
        check_constrained(result, "o.json", submitted_us=late)
    assert caught.value.reason == "1 fault: trading_date.past"
    with pytest.raises(RulesRejectedError, match=r"p\.json: Boffer rejected"):
        write_constrained(tmp_path / "p.json", result, submitted_us=late)
    assert not (tmp_path / "p.json").exists()
    written = write_constrained(str(tmp_path / "q.json"), result, submitted_us=SUBMITTED + 1)
    assert written.result is not None
    assert (tmp_path / "q.json").read_bytes() == (tmp_path / "o.json").read_bytes()
    allowed = check_constrained(result, "o.json", submitted_us=late, allow_rejected=True)
    assert allowed.is_rejected
    assert allowed.report().constrained_transaction is not None


def test_the_picture_is_of_the_interval_that_is_cut_most(
    envelopes: LoadedEnvelopes, tmp_path: Path
) -> None:
    result = constrain_boffers(loaded(offer()), envelopes)
    draw_constrained(result, tmp_path / "c.svg")
    text = (tmp_path / "c.svg").read_text()
    assert f"period {PERIOD}" in text
    assert "offered +7 kW" in text
    with pytest.raises(ConfigError, match="no Boffer has period 1"):
        draw_constrained(result, tmp_path / "c.svg", period=1)
