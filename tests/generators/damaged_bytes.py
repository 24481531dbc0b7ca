"""Damage to the bytes of a document: faults that no JSON tree can have, and random changes."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.generators.damage import named

ByteDamage = Callable[[bytes, random.Random], bytes]
BYTE_DAMAGES: dict[str, tuple[ByteDamage, frozenset[str]]] = {}


def _bytes(*rules: str) -> Callable[[ByteDamage], ByteDamage]:
    return named(BYTE_DAMAGES, *rules)


def _content(data: bytes, rnd: random.Random) -> int:
    """A random position inside the document's text."""
    return rnd.randrange(data.index(b"{"), data.rindex(b"}"))


@_bytes("json.bom")
def _byte_order_mark(data: bytes, _: random.Random) -> bytes:
    return b"\xef\xbb\xbf" + data


@_bytes("json.utf8")
def _invalid_utf8(data: bytes, rnd: random.Random) -> bytes:
    at = _content(data, rnd)
    bad = rnd.choice([b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80"])
    while data[at] & 0xC0 == 0x80:
        at += 1
    return data[:at] + bad + data[at:]


@_bytes("json.trailing", "json.syntax")
def _trailing_bytes(data: bytes, rnd: random.Random) -> bytes:
    return data.rstrip() + rnd.choice([b"x", b"\x00", b",", b"]", b"}", b" null", b'""', b"\x0c"])


@_bytes("json.syntax", "json.trailing", "json.utf8")  # a cut may go through a character
def _cut_short(data: bytes, rnd: random.Random) -> bytes:
    last = data.rindex(b"}")
    return data[: rnd.randrange(data.rindex(b"{", 0, last) + 1, last + 1)]


@_bytes("json.syntax")
def _trailing_comma(data: bytes, _: random.Random) -> bytes:
    at = data.rindex(b"}")
    return data[:at] + b"," + data[at:]


@_bytes("json.nesting", "json.syntax", "json.trailing")
def _nesting_bomb(data: bytes, rnd: random.Random) -> bytes:
    at = data.rindex(b"}")
    bomb = rnd.choice([b"[" * 200_000, b'{"a":' * 100_000, b"[" * 50_000 + b"]" * 50_000])
    return data[:at] + b',"x":' + bomb + data[at:]


@_bytes("document.empty")
def _no_record(_: bytes, rnd: random.Random) -> bytes:
    return rnd.choice([b"", b" ", b"\n\r\n\t", b"[]", b" [ \n] "])


@_bytes("json.syntax", "json.trailing")
def _two_values_in_a_line(data: bytes, _: random.Random) -> bytes:
    at = data.index(b"{")
    return data[:at] + b"{} " + data[at:]


@_bytes("json.syntax")
def _not_json(data: bytes, rnd: random.Random) -> bytes:
    at = data.index(b"{")
    bad = rnd.choice([b"'a':1,", b"/**/", b"a:1,", b'"a":01,', b'"a":.5,', b'"a":+1,', b'"a":1.,'])
    return data[: at + 1] + bad + data[at + 1 :]


TOKENS = (*(bytes([byte]) for byte in b'",{}[]-019.eE+: \n\r\\TZ5O\xc3'), b"null", b"true")


def tamper(data: bytes, seed: int) -> bytes:
    """Change a few bytes, at random positions, in ways that often leave valid JSON behind."""
    rnd = random.Random(seed)
    for _ in range(rnd.randint(1, 3)):
        at = rnd.randrange(len(data)) if data else 0
        what = rnd.randrange(5)
        if what == 0:
            data = data[:at] + rnd.choice(TOKENS) + data[at + 1 :]
        elif what == 1:
            data = data[:at] + rnd.choice(TOKENS) + data[at:]
        elif what == 2:
            data = data[:at] + data[at + rnd.choice([1, 1, 2, 5]) :]
        elif what == 3:
            digits = [i for i, byte in enumerate(data) if 48 <= byte <= 57]
            if digits:
                at = rnd.choice(digits)
                data = data[:at] + b"%d" % rnd.randrange(10) + data[at + 1 :]
        else:
            end = at + rnd.randint(1, 40)
            data = data[:end] + data[at:end] + data[end:]
    return data
