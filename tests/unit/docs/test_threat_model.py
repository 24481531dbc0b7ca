"""The threat model names every attack that is tested, and no test that is not there."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[3]
PAGE: Final = ROOT / "docs/threat-model.md"
ATTACKS: Final = {path.name: path for path in sorted((ROOT / "tests/attacks").glob("test_*.py"))}
COLUMNS: Final = ["who", "attack", "what stops it", "test"]


def rows_of(text: str) -> list[list[str]]:
    """The rows of the tables of attacks."""
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    heads = [number for number, cells in enumerate(lines) if cells == COLUMNS]
    rows = []
    for head in heads:
        for cells in lines[head + 2 :]:
            if not cells:
                break
            rows.append(cells)
    return rows


def files_of(row: list[str]) -> list[str]:
    """The files in a row's last column."""
    return re.findall(r"`([^`]+)`", row[-1])


def file_of(name: str) -> Path:
    """A test by the name that a row gives it: one of the attacks, or a path."""
    return ATTACKS.get(name, ROOT / name)


ROWS: Final = rows_of(PAGE.read_text("utf-8"))


def test_every_attack_has_a_row() -> None:
    named = {name for row in ROWS for name in files_of(row)}
    assert sorted(set(ATTACKS) - named) == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1][:50])
def test_every_row_is_complete_and_its_tests_exist(row: list[str]) -> None:
    assert len(row) == len(COLUMNS)
    assert all(row)
    assert files_of(row)
    assert [name for name in files_of(row) if not file_of(name).exists()] == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1][:50])
def test_modules_that_stop_an_attack_exist(row: list[str]) -> None:
    paths = [name for name in re.findall(r"`([\w/.]+)`", row[2]) if "/" in name]
    bases = (ROOT / "src/oepnode", ROOT)
    assert [name for name in paths if not any((base / name).exists() for base in bases)] == []


@pytest.mark.parametrize("name", ATTACKS)
def test_every_attack_is_told_and_is_seen_to_succeed(name: str) -> None:
    """It has a test without the protection, or its head says how that was tried by hand."""
    tree = ast.parse(ATTACKS[name].read_text("utf-8"))
    head = " ".join((ast.get_docstring(tree) or "").split())
    assert re.search(r"\b(What stops it now|Now)\b", head)
    assert re.search(r"\b(What remains|Remains):", head)
    names = [n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert any(n.startswith("test_without_") for n in names) or "by hand" in head


def test_a_missing_row_or_file_is_noticed() -> None:
    page = "| who | attack | what stops it | test |\n|---|---|---|---|\n| a | b | c | `no.py` |\n"
    (row,) = rows_of(page)
    assert files_of(row) == ["no.py"]
    assert not file_of("no.py").exists()
