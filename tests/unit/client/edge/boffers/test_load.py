"""Boffers loaded as far as the rules accept them, and written again."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from oepnode.client.edge.boffers.load import (
    RulesRejectedError,
    load_accepted,
    load_boffers,
    validate_boffers,
    write_boffers,
)
from oepnode.domain.edge.boffers import model
from oepnode.domain.edge.boffers.model import BofferDay
from oepnode.domain.nem.nem_time import period_start
from oepnode.errors import ConfigError, DocumentFault, EvidenceError
from tests.support.boffers import avail, prices
from tests.support.loaded_boffers import SITE, site

DAY = date(2026, 11, 20)
D3, D3_PRICES = {3: -60, 13: 10, 19: 70}, prices({13: 1.1})
SUBMITTED = (period_start(DAY, 1) - 12) * 1_000_000


def two_days(**changes: Any) -> list[BofferDay]:
    """A DUID's Boffer for the 576 intervals from 04:00 on."""
    settings: dict[str, Any] = {"submitted_us": SUBMITTED, "bands": D3_PRICES} | changes
    bands = settings.pop("bands")
    return [
        model.make_day("UNIT1", DAY + timedelta(days=i), bands, avail(D3, 288), **settings)
        for i in range(2)
    ]


@pytest.mark.parametrize("suffix", [".json", ".ndjson", ".parquet"])
def test_boffers_are_written_and_loaded_in_every_form(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"b{suffix}"
    write_boffers(str(file), two_days())
    assert validate_boffers(file).accepted
    boffers = load_boffers(file)
    assert (boffers.name, boffers.is_rejected, boffers.skipped) == (str(file), False, ())
    assert [day.trading_date for day in boffers.days] == [DAY, DAY + timedelta(days=1)]
    assert "UNIT1" not in repr(boffers)


def test_another_suffix_is_rejected_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"must end in \.json, \.ndjson or \.parquet"):
        write_boffers(tmp_path / "b.csv", two_days())
    assert not list(tmp_path.iterdir())


def test_broken_rules_are_an_error_unless_they_are_allowed(tmp_path: Path) -> None:
    wrong = two_days()
    wrong[0].avail[7, 10] = -5_000
    write_boffers(tmp_path / "b.json", wrong)
    with pytest.raises(RulesRejectedError) as caught:
        load_boffers(tmp_path / "b.json")
    assert caught.value.name == str(tmp_path / "b.json")
    assert str(caught.value).startswith(f"{tmp_path / 'b.json'}: Boffer rejected")
    assert caught.value.reason.startswith("2 faults: boffer.generation_sign")
    assert "boffer.generation_sign" in {fault.code for fault in caught.value.faults}
    loaded = load_boffers(tmp_path / "b.json", allow_rejected=True)
    assert loaded.is_rejected
    assert loaded.report().code == "rejected"
    assert load_accepted(tmp_path / "b.json").days[0].avail[7, 10] == -5_000


def test_a_broken_form_is_an_error_in_any_case(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('[{"duid": "U"}]')
    for settings in ({}, {"allow_rejected": True}):
        with pytest.raises(DocumentFault) as caught:
            load_boffers(tmp_path / "x.json", **settings)
        assert not isinstance(caught.value, RulesRejectedError)
    with pytest.raises(EvidenceError, match="no Boffer is accepted"):
        load_boffers(tmp_path / "x.json", skip_rejected=True)
    with pytest.raises(ConfigError, match="not readable"):
        load_boffers(tmp_path / "absent.json")


@pytest.mark.parametrize("text", ["[]", "not JSON"])
@pytest.mark.parametrize("skip", [True, False])
def test_a_file_without_boffers_is_named(tmp_path: Path, text: str, skip: bool) -> None:
    file = tmp_path / "x.json"
    file.write_text(text)
    with pytest.raises(DocumentFault) as caught:
        load_boffers(file, skip_rejected=skip)
    assert str(caught.value).startswith(f"{file}: Boffer rejected")


def test_an_error_names_the_first_skipped_boffer_without_its_nmi(tmp_path: Path) -> None:
    wrong = site([1])
    wrong.avail[0, 10] = -5_000
    write_boffers(tmp_path / "b.json", [wrong])
    with pytest.raises(EvidenceError, match=r"b\.json: no Boffer .*\[0\] is rejected") as caught:
        load_boffers(tmp_path / "b.json", skip_rejected=True)
    assert SITE not in str(caught.value)


@pytest.mark.parametrize("suffix", [".json", ".parquet"])
def test_skipped_boffers_name_their_unit_and_reason(tmp_path: Path, suffix: str) -> None:
    later = two_days(bands=prices({13: 1.2}), submitted_us=SUBMITTED + 1)
    write_boffers(tmp_path / f"b{suffix}", [*two_days(), *later])
    boffers = load_boffers(tmp_path / f"b{suffix}", skip_rejected=True)
    assert len(boffers.days) == 2
    (skipped,) = boffers.skipped
    assert (skipped.duid, skipped.nmi) == ("UNIT1", None)
    assert skipped.counts == {"gate.price_changed": 1}
    for counts in (skipped.counts, validate_boffers(tmp_path / f"b{suffix}").transaction.counts):
        with pytest.raises(TypeError, match="does not support item assignment"):
            counts["gate.price_changed"] = 0  # type: ignore[index]
    assert "(UNIT1, submitted 2026-11-20T03:59:48.000001+10:00) is rejected" in skipped.sentence


def test_skipping_and_allowing_exclude_each_other(tmp_path: Path) -> None:
    write_boffers(tmp_path / "b.json", two_days())
    with pytest.raises(ConfigError, match="either skipped or allowed"):
        load_boffers(tmp_path / "b.json", skip_rejected=True, allow_rejected=True)
