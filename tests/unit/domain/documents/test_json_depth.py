"""Nesting is bounded before anything recurses; rules-v1 section 2."""

import json
import subprocess
import sys

import pytest

from oepnode.domain.documents.json_depth import MAX_DEPTH, is_too_deep


@pytest.mark.parametrize("opener", ["[", '{"a":'])
def test_the_bound_is_exact(opener: str) -> None:
    assert not is_too_deep(opener * MAX_DEPTH)
    assert is_too_deep(opener * (MAX_DEPTH + 1))


def test_breadth_is_not_depth() -> None:
    assert not is_too_deep(json.dumps([[[]]] * 10_000))


def test_brackets_in_strings_do_not_count() -> None:
    assert not is_too_deep(json.dumps(["[" * 1000, '"' + "{" * 1000, "\\", "[" * 1000]))


@pytest.mark.parametrize("hidden", ['"]"', '"}\\"]"', '"\\\\]"', '"]]]]"'])
def test_closers_in_strings_hide_nothing(hidden: str) -> None:
    assert is_too_deep(f"[{hidden}," * 100)


def test_strings_across_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oepnode.domain.documents.json_depth._CHUNK", 7)
    assert not is_too_deep(json.dumps(["[" * 100, {"x": "{" * 100}]))
    assert is_too_deep('["]",' * 100)


BOMB = """
import sys
sys.setrecursionlimit(1_000_000)
from oepnode.domain.rounds.inputs.envelope_document import parse_document
from oepnode.domain.rounds.inputs.registry_snapshot import parse_snapshot
from oepnode.errors import DocumentFault
for read in (parse_document, parse_snapshot):
    for bomb in (b"[" * 5_000_000, b'{"a":' * 1_000_000, b'\\n\\n{"a":' + b"[" * 1_000_000):
        try:
            read(bomb)
        except DocumentFault as exc:
            assert exc.faults[0].code == "json.nesting", exc
        else:
            raise SystemExit("accepted")
"""


def test_a_bomb_ends_in_a_fault_even_where_the_recursion_limit_was_raised() -> None:
    done = subprocess.run([sys.executable, "-c", BOMB], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
