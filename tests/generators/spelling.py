"""Random spellings of times, numbers, NMIs and objects that mean the same."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

from tests.generators.json_text import FIELD_SPELLINGS, JsonObject, RawJson
from tests.reference.nem_time import EPOCH, NEM_OFFSET
from tests.reference.nmi import checksum

BAD_TIMES = (
    "",
    "2026-11-20",
    "2026-11-20T04:05",
    "2026-11-20 04:05:00",
    "2026-11-20t04:05:00",
    "2026-11-20T04:05:00z",
    "2026-11-20T04:05:00.",
    "2026-11-20T04:05:00.0000000",
    "2026-11-20T04:05:00+10",
    "2026-11-20T04:05:00+1000",
    "2026-11-20T04:05:00+14:05",
    "2026-11-20T04:05:00-15:00",
    "2026-11-20T04:05:00+09:60",
    "2026-11-20T24:00:00+10:00",
    "2026-11-20T04:60:00+10:00",
    "2026-11-20T04:05:60+10:00",
    "2026-02-29T04:05:00+10:00",
    "2026-00-10T04:05:00+10:00",
    "2026-11-31T04:05:00+10:00",
    "1969-12-31T23:55:00Z",
    "1970-01-01T00:00:00+10:00",
    "2106-01-01T00:00:00Z",
    "٢٠٢٦-11-20T04:05:00Z",
    " 2026-11-20T04:05:00Z",
    "2026-11-20T04:05:00Z\n",
    "20261120T040500Z",
    "+2026-11-20T04:05:00Z",
)


def spell_time(micros: int, rnd: random.Random, *, fraction: bool = True) -> str:
    """A timestamp for an instant, with a random offset and random zeros behind."""
    style = rnd.randrange(6)
    offset, tail = NEM_OFFSET, "+10:00"
    if style == 0:
        tail = ""
    elif style == 1:
        offset, tail = 0, "Z"
    elif style == 2:
        minutes = rnd.choice([660, 840, -840, -330, 345, 570, 0, rnd.randint(-840, 840)])
        sign = "-" if minutes < 0 or (minutes == 0 and rnd.random() < 0.5) else "+"
        offset, tail = minutes * 60, f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
    local = EPOCH + timedelta(seconds=offset, microseconds=micros)
    text = local.strftime("%Y-%m-%dT%H:%M:%S")
    if local.microsecond:
        digits = f"{local.microsecond:06d}"
        text += "." + (digits.rstrip("0") if rnd.random() < 0.5 else digits)
    elif fraction and rnd.random() < 0.15:
        text += "." + "0" * rnd.randint(1, 6)
    return text + tail


def spell_grid_time(seconds: int, rnd: random.Random) -> str:
    return spell_time(seconds * 1_000_000, rnd)


def spell_kilo(value: int, rnd: random.Random) -> RawJson:
    """A JSON number for ``value`` / 1000, exactly."""
    negative, digits = value < 0, str(abs(value))
    if value == 0:
        return RawJson(
            rnd.choice(["0", "-0", "0.0", "-0.000", "0e5", "0.00E-9", "0e99999999999999999999"])
        )
    sign = "-" if negative else ""
    padded = digits.rjust(4, "0")
    whole, decimals = padded[:-3], padded[-3:]
    style = rnd.randrange(7)
    if style == 0:
        return RawJson(f"{sign}{whole}.{decimals}")
    if style == 1:
        return RawJson(f"{sign}{whole}.{decimals}{'0' * rnd.randint(1, 9)}")
    if style == 2:
        return RawJson(f"{sign}{digits}{rnd.choice('eE')}-{rnd.choice(['', '0'])}3")
    if style == 3:
        return RawJson(
            f"{sign}0.{digits}e{rnd.choice(['', '+'])}{len(digits) - 3}".replace("+-", "-")
        )
    short = decimals.rstrip("0")
    return RawJson(f"{sign}{whole}" + (f".{short}" if short else ""))


def spell_nmi(nmi: str, rnd: random.Random) -> str:
    """The NMI, now and then with its checksum digit."""
    return nmi + str(checksum(nmi)) if rnd.random() < 0.15 else nmi


def spelled(name: str, rnd: random.Random) -> str:
    return rnd.choice(FIELD_SPELLINGS.get(name, (name,)))


def add_optional(members: list[tuple[str, Any]], name: str, value: Any, rnd: random.Random) -> None:
    """Add a field that may be null or absent where it has no value."""
    if value is not None or rnd.random() < 0.3:
        members.append((spelled(name, rnd), value))


def shuffled_object(members: list[tuple[str, Any]], rnd: random.Random) -> JsonObject:
    rnd.shuffle(members)
    return JsonObject(members)
