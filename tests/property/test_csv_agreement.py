"""Arrow's parser of CSV and ours, line by line, agree on ordinary and on damaged text."""

from __future__ import annotations

import random
from typing import Any

import pytest

from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.rounds.inputs import csv_lines

NAMES = ("a", "b", "c")
TOKENS = (
    b'"',
    b'""',
    b",",
    b"\n",
    b"\r",
    b"\r\n",
    b"x",
    b" ",
    b"\xff",
    b"\x00",
    b'","',
    "é".encode(),
)
FIELDS = (b"", b"x", b"60", b'"x"', b'""', b'"x,y"', b'"x""y"', b"x y", "é".encode(), b'""""')


def _text(seed: int) -> bytes:
    rnd = random.Random(seed)
    end = rnd.choice([b"\n", b"\r\n"])
    lines = [b",".join(rnd.choice(FIELDS) for _ in NAMES) for _ in range(rnd.randint(1, 5))]
    text = end.join(lines) + rnd.choice([b"", end])
    for _ in range(rnd.choice([0, 0, 1, 2])):
        at = rnd.randrange(len(text) + 1)
        text = text[:at] + rnd.choice(TOKENS) + text[at + rnd.randint(0, 1) :]
    return text or b"\n"


def _columns(text: bytes) -> tuple[dict[str, Any] | None, int]:
    log = FaultLog("document")
    columns = csv_lines.text_columns(text, NAMES, 2, log)
    found = None if columns is None else {name: c.to_pylist() for name, c in columns.items()}
    return found, log.count


def test_both_give_the_same_fields_or_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [_text(seed) for seed in range(4_000)]
    fast = [_columns(text) for text in texts]
    monkeypatch.setattr(csv_lines, "_is_unusual", lambda _: True)
    strict = [_columns(text) for text in texts]
    for text, one, other in zip(texts, fast, strict, strict=True):
        assert one == other, text
    assert sum(columns is not None for columns, _ in strict) > 1_500
    assert sum(columns is None for columns, _ in strict) > 800


def test_a_fault_in_the_choice_of_the_parser_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [_text(seed) for seed in range(4_000)]
    strict = [_columns(text) for text in texts]
    monkeypatch.setattr(csv_lines, "_is_unusual", lambda _: False)
    assert any(_columns(text) != other for text, other in zip(texts, strict, strict=True))
