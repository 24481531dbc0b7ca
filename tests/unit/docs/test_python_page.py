"""docs/python.md: its blocks of Python run, in order, and print what the page shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from oepnode import wiring
from tests.support.certificates import operators_file, write_certificate
from tests.support.plain_bundle import pack_file
from tests.support.round_world import CONTEXT, FakeReader, sealed, write_inputs, write_key

PAGE = Path(__file__).resolve().parents[3] / "docs/python.md"
_BLOCKS = re.compile(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```)?", re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of the page, with the files that it names; the chain is a fake."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(wiring, "chain_reader", FakeReader().connect)
    write_key(tmp_path / "aggregator.json", "A1", "A1")
    (tmp_path / "round-3.oepb").write_bytes(pack_file(CONTEXT, sealed("A1")))
    write_inputs(tmp_path)
    write_certificate(tmp_path)
    operators_file(tmp_path)
    return tmp_path


def blocks() -> list[tuple[str, str]]:
    """Code of each block, and the output that the page shows for it."""
    return _BLOCKS.findall(PAGE.read_text("utf-8"))


def test_every_block_prints_what_the_page_shows(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names: dict[str, Any] = {}
    for code, expected in blocks():
        exec(compile(code, str(PAGE), "exec"), names)
        printed = capsys.readouterr()
        assert printed.out == expected, code
        assert printed.err == "", code


def test_every_block_of_the_page_is_read() -> None:
    assert len(blocks()) == PAGE.read_text("utf-8").count("```python") > 3
