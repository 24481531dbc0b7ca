from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from oepnode.client import RoundSelector, bundle_limits, check_partition, verify_bundle
from oepnode.client.limit_files import LIMIT_FORMATS, write_bundle_limits
from oepnode.domain.rounds import bundle_reading
from oepnode.domain.rounds.bundle import BundleError
from tests.support.plain_bundle import pack_file
from tests.support.round_world import CONTEXT, sealed


@pytest.fixture(autouse=True)
def several_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_reading, "_BLOCK_BYTES", 200)


@pytest.mark.parametrize("form", LIMIT_FORMATS)
def test_the_file_has_all_rows_of_the_bundle(
    folder: Path, selector: RoundSelector, form: str
) -> None:
    file, key, out = folder / "A1.oepb", folder / "A1.json", folder / "limits"
    write_bundle_limits(check_partition(file, key, selector), file, key, out, form)
    expected = bundle_limits(verify_bundle(file, key, selector))
    if form == "csv":
        assert out.read_text() == expected.write_csv()
    elif form == "json":
        assert json.loads(out.read_text()) == expected.to_dicts()
    else:
        assert pl.read_parquet(out).equals(expected)
    assert out.stat().st_mode & 0o777 == 0o600


def test_a_file_that_changes_after_the_check_gives_no_limits(
    folder: Path, selector: RoundSelector
) -> None:
    file, key, out = folder / "A1.oepb", folder / "A1.json", folder / "limits.csv"
    check = check_partition(file, key, selector)
    changed = bytearray(sealed("A1"))
    changed[-1] ^= 1
    file.write_bytes(pack_file(CONTEXT, bytes(changed)))
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(BundleError, match="check opening failed"):
        write_bundle_limits(check, file, key, out, "csv")
    assert sorted(path.name for path in folder.iterdir()) == before
