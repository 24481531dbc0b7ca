"""Files of rows and lists of NMIs."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from oepnode.client.edge.tables import load_portfolio, read_head, require_suffix, write_table
from oepnode.errors import ConfigError
from tests.support.telemetry_columns import A, B

ROWS = pl.DataFrame({"nmi": [A], "watts": [5]})


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.CSV"])
def test_a_table_is_written_by_its_suffix(tmp_path: Path, name: str) -> None:
    write_table(str(tmp_path / name), ROWS)
    read = pl.read_parquet if name.endswith("parquet") else pl.read_csv
    assert read(tmp_path / name)["watts"].to_list() == [5]


def test_another_suffix_and_an_absent_folder_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"must end in \.csv or \.parquet"):
        write_table(tmp_path / "t.txt", ROWS)
    with pytest.raises(
        ConfigError, match=r"a\.b: the name must end in \.json, \.ndjson or \.parquet"
    ):
        require_suffix(Path("a.b"), ".json", ".ndjson", ".parquet")
    with pytest.raises(ConfigError, match=r"not writable: the folder .*absent does not exist"):
        write_table(tmp_path / "absent" / "t.csv", ROWS)
    assert not list(tmp_path.iterdir())


def test_a_portfolio_is_a_set_of_nmis(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text(f"{A}\n\n {B} \n{A}\n")
    assert load_portfolio(file) == {A, B}


def test_a_line_that_is_not_an_nmi_is_named_by_its_number_alone(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text(f"{A}\n630500000O\n")
    with pytest.raises(ConfigError, match="line 2") as caught:
        load_portfolio(file)
    assert "630500000O" not in str(caught.value)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not text in UTF-8"):
        load_portfolio(file)
    file.write_text("\n")
    with pytest.raises(ConfigError, match=r"mine\.txt: names no NMI; list NMIs, one per line"):
        load_portfolio(file)
    with pytest.raises(ConfigError, match="list of NMIs not readable"):
        load_portfolio(tmp_path / "absent")
    with pytest.raises(ConfigError, match="not readable"):
        read_head(tmp_path / "absent")
