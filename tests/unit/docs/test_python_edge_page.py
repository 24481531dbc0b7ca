"""docs/python-edge.md: its blocks of Python run, in order, and print what the page shows."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.python_page_edge import write_edge_files

PAGE = Path(__file__).resolve().parents[3] / "docs/python-edge.md"
_BLOCKS = re.compile(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```)?", re.DOTALL)


def test_every_block_prints_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_edge_files(tmp_path)
    names: dict[str, Any] = {}
    blocks = _BLOCKS.findall(PAGE.read_text("utf-8"))
    assert len(blocks) == 2
    for code, expected in blocks:
        exec(compile(code, str(PAGE), "exec"), names)
        printed = capsys.readouterr()
        assert printed.out == expected, code
        assert printed.err == "", code
