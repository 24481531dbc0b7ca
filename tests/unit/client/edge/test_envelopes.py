"""Envelopes from each of their forms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from oepnode.client.edge.envelopes import (
    KeyMissingError,
    KeyNotUsedError,
    _is_bundle,
    interval_ends,
    load_both_envelopes,
    load_envelopes,
    select_nmi,
    validate_envelopes,
    view_envelopes,
    write_limits,
)
from oepnode.domain.nem.nem_time import format_nem
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.bundle import FILE_MAGIC
from oepnode.errors import ConfigError, DocumentFault
from tests.support.telemetry_columns import LATER, START, A, B, record
from tests.unit.client.edge.conftest import Write

FIVE = [(5, -5)] * 2


def test_a_document_is_of_all_aggregators(write: Write) -> None:
    envelopes = load_envelopes(str(write("e.json", record(A, FIVE), record(B, FIVE))))
    assert (envelopes.kind, envelopes.is_of_one_aggregator) == ("document", False)
    assert envelopes.text == f"document e.json: 2 sites, PRE, 2 intervals from {format_nem(START)}"
    assert interval_ends(envelopes.table) == (format_nem(START + 300), format_nem(START + 600))


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_limits_keep_submissions_and_the_kind_of_their_document(
    write: Write, tmp_path: Path, suffix: str
) -> None:
    newer = record(A, [(3, -3)], submitted=LATER)
    envelopes = load_envelopes(write("e.json", record(A, FIVE), newer))
    file = tmp_path / f"l{suffix}"
    assert write_limits(str(file), envelopes) == 3
    again = load_envelopes(file)
    assert (again.kind, again.table.site_count) == ("document", 1)
    assert (again.table.limits == envelopes.table.limits).all()
    assert (again.table.superseded.cell == envelopes.table.superseded.cell).all()


def test_limits_without_submissions_are_of_one_aggregator(tmp_path: Path, write: Write) -> None:
    envelopes = load_envelopes(write("e.json", record(A, FIVE)))
    write_limits(tmp_path / "l.csv", envelopes)
    rows = pl.read_csv(tmp_path / "l.csv", infer_schema=False).drop("submitted_us")
    rows.write_csv(tmp_path / "own.csv")
    own = load_envelopes(tmp_path / "own.csv")
    assert (own.kind, own.is_of_one_aggregator) == ("limits", True)
    rows.with_columns(active_export_w=pl.lit("x")).write_csv(tmp_path / "bad.csv")
    with pytest.raises(ConfigError, match="not readable as CSV with whole numbers"):
        load_envelopes(tmp_path / "bad.csv")


def test_limits_of_a_document_without_submissions_are_known_as_such(
    write: Write, tmp_path: Path
) -> None:
    envelopes = load_envelopes(write("e.json", record(A, FIVE, submitted=None)))
    write_limits(tmp_path / "l.parquet", envelopes)
    assert pl.read_parquet(tmp_path / "l.parquet")["submitted_us"].to_list() == [None, None]
    assert load_envelopes(tmp_path / "l.parquet").kind == "document"


def test_a_key_goes_with_a_bundle_and_a_bundle_with_a_key(write: Write, tmp_path: Path) -> None:
    document, bundle = write("e.json", record(A, FIVE)), tmp_path / "b.oepb"
    bundle.write_bytes(FILE_MAGIC + b"anything")
    assert (_is_bundle(document), _is_bundle(str(bundle))) == (False, True)
    with pytest.raises(KeyNotUsedError, match="not a bundle"):
        load_envelopes(document, key=tmp_path / "key.json")
    with pytest.raises(KeyMissingError, match="no key was given"):
        load_envelopes(bundle)
    with pytest.raises(ConfigError, match="name the round and the chain"):
        load_envelopes(bundle, key=tmp_path / "key.json")


def test_a_key_opens_the_bundles_of_two_files(write: Write, tmp_path: Path) -> None:
    document, bundle = write("e.json", record(A, FIVE)), tmp_path / "b.oepb"
    bundle.write_bytes(FILE_MAGIC + b"anything")
    both = load_both_envelopes(document, str(document))
    assert [envelopes.file for envelopes in both] == ["e.json", "e.json"]
    with pytest.raises(KeyNotUsedError, match=r"neither .*e\.json nor .*e\.json is a bundle"):
        load_both_envelopes(document, document, key="key.json")
    with pytest.raises(KeyMissingError):
        load_both_envelopes(document, bundle)
    with pytest.raises(ConfigError, match="name the round and the chain"):
        load_both_envelopes(document, bundle, key="key.json")


@pytest.mark.parametrize("data", [b"", b"hello", b"PAR1 but not really"])
def test_a_file_of_any_other_form_is_rejected(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(ConfigError, match="x: n"):
        load_envelopes(tmp_path / "x")


def test_a_view_has_ranges_and_on_request_each_limit(write: Write) -> None:
    newer = record(A, [(3, -3)], submitted=LATER)
    envelopes = load_envelopes(write("e.json", record(A, FIVE), record(B, FIVE), newer))
    (first, second) = view_envelopes(envelopes).sites
    assert (first.nmi, first.level, first.timing, first.superseded_rows) == (A, "NMI", "PRE", 1)
    assert (first.export_w.least, first.export_w.most, second.export_w.least) == (3000, 5000, 5000)
    (only,) = view_envelopes(select_nmi(envelopes, A), with_limits=True).sites
    assert only.import_w.limits == (-3000, -5000)
    assert only.horizon_start == format_nem(START)
    with pytest.raises(ConfigError, match=r"no envelope in e\.json") as caught:
        select_nmi(envelopes, "6305009999")
    assert "6305009999" not in str(caught.value)
    with pytest.raises(ConfigError, match="nmi: an NMI must have 10 characters, received 2"):
        select_nmi(envelopes, "63")


def test_a_document_is_validated_by_its_feed_and_timing(write: Write) -> None:
    file = write("e.json", record(A, [(100, 5)]))
    assert not validate_envelopes(file).accepted
    magnitude = Feed(import_sign="magnitude")
    assert validate_envelopes(str(file), feed=magnitude).accepted
    assert not validate_envelopes(file, feed=magnitude, timing="POST").accepted
    with pytest.raises(DocumentFault, match=r"e\.json: envelope document rejected"):
        load_envelopes(file)
    timing: Any = "LATE"
    with pytest.raises(ConfigError, match="timing must be PRE or POST, received 'LATE'"):
        validate_envelopes(file, timing=timing)
    assert load_envelopes(file, feed=magnitude).table.site_count == 1
