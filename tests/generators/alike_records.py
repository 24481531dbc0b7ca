"""Documents as one program writes them: records alike but for identifiers, times and limits.

Some values are odd: other spellings of a number, null, another time, another objective; so the
records of one document fall into several kinds, of which some have a fault.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from oepnode.domain.nem.nem_time import NEM_OFFSET
from oepnode.domain.nem.quantities import Feed
from tests.generators.cases import random_nmi

START = datetime(2026, 11, 20, 4, tzinfo=NEM_OFFSET)
ODD_NUMBERS = (
    "-0", "0", "0.0", "-0.0", "5.0000", "1e1", "1E-3", "1.2345", "05", "5.", ".5", "+5", "1e400",
    "99999.999", "-99999.999", "123456.5", "2147483.647", "-2147483.648", "5170", "1.5000000000000",
    "0.001", "-12345.6789", "12345678", "00.5", "-", "NaN", "Infinity", "true", '"5"', "{}", "[1]",
    "1.50000000000000000000", "100.005", "-99.99", "99.995", "null", "nul", "1 2",
)  # fmt: skip
ODD_TIMES = (
    "2026-11-20T04:00:00",
    "2026-11-20T04:00:00Z",
    "2026-11-20T04:05:00+11:00",
    "2026-11-20T04:05:00.000+10:00",
    "2026-11-20T04:03:00+10:00",
    "2026-13-20T04:05:00+10:00",
    "2026-11-20 04:05:00+10:00",
    "2026-11-20T24:00:00+10:00",
    "1969-12-31T04:05:00+10:00",
    "1970-01-01T10:00:00+10:00",
    "2026-11-20T04:05:00Z\x00\x00\x00\x00\x00",
    "٢026-11-20T04:05:00+10:00",
    "",
)


@dataclass(frozen=True)
class Style:
    """How a program writes."""

    ndjson: bool
    separators: tuple[str, str]
    between: str
    around: str


def random_style(rnd: random.Random) -> Style:
    """Any of the usual styles, and some others."""
    return Style(
        ndjson=rnd.random() < 0.5,
        separators=rnd.choice([(",", ":"), (", ", ": "), (",\t", " :")]),
        between=rnd.choice([",", ", ", ",\n", "\n,\n  "]),
        around=rnd.choice(["", "", " ", "\n"]),
    )


def alike_document(rnd: random.Random, odd: float, feed: Feed) -> bytes:
    """A document of 1 to 12 records for a feed; each value is odd with a small probability."""
    style = random_style(rnd)
    template = _template(rnd, feed)
    count = rnd.choice([1, 2, 3, rnd.randint(4, 12)])
    texts = [_record(rnd, template, odd, style) for _ in range(count)]
    if style.ndjson:
        newline = rnd.choice(["\n", "\r\n"])
        lines = [text + ("\n" if rnd.random() < odd / 4 else "") for text in texts]
        return (style.around + newline.join(lines) + rnd.choice(["", newline])).encode()
    inside = style.between.join(texts)
    return f"{style.around}[{style.around}{inside}{style.around}]{style.around}".encode()


@dataclass(frozen=True)
class _Template:
    keys: tuple[str, ...]
    kinds: tuple[str, ...]
    elements: tuple[int, ...]
    times: str
    inner_nmi: bool
    site_ids: tuple[str, ...]
    decimals: int
    whole: int
    nulls: float
    sign: str


def _template(rnd: random.Random, feed: Feed) -> _Template:
    is_edge = feed.profile == "edge"
    kinds = ["activePowerExportLimit", "activePowerImportLimit"]
    if rnd.random() < 0.3:
        kinds.append("reactivePowerExportLimit")
    if rnd.random() < 0.3:
        kinds.append("reactivePowerImportLimit")
    if rnd.random() < 0.15 and not is_edge:
        kinds = [rnd.choice(kinds)]
    keys = ["nmi", "oeTiming", "oeObjectiveFunction", "oeApplicationLevel", "operatingEnvelopes"]
    if rnd.random() < 0.7:
        keys.insert(4, rnd.choice(["submissionTimestamp", "submissionDatetime"]))
    if rnd.random() < 0.2:
        keys.append("tradingDate")
    if rnd.random() < 0.3:
        rnd.shuffle(keys)
        rnd.shuffle(kinds)
    ids = (
        tuple(f"{rnd.getrandbits(128):032x}" for _ in range(8))
        if rnd.random() < 0.2
        else tuple(random_nmi(rnd) for _ in range(8))
    )
    return _Template(
        keys=tuple(keys),
        kinds=tuple(kinds),
        elements=tuple(rnd.randint(1, 3) for _ in range(rnd.choice([1, 1, 1, 2]))),
        times=rnd.choice(["both", "both", "both", "start", "end", "naive"]),
        inner_nmi=rnd.random() < 0.2,
        site_ids=ids,
        decimals=rnd.choice([0, 1, 2] if is_edge else [0, 1, 2, 3]),
        whole=rnd.choice([1, 9, 98] if is_edge else [1, 9, 99, 9999, 99999]),
        nulls=0.0 if is_edge else rnd.choice([0.0, 0.0, 0.1, 0.5]),
        sign="" if feed.import_sign == "magnitude" else "-",
    )


def _record(rnd: random.Random, template: _Template, odd: float, style: Style) -> str:
    nmi = rnd.choice(template.site_ids)
    if rnd.random() < odd:
        nmi = rnd.choice([nmi + "0", nmi[:-1], nmi[:-1] + "O", nmi.lower(), "7" * 32, nmi + " "])
    offset = rnd.choice([0, 0, 0, rnd.randint(0, 5)])
    elements: list[Any] = []
    position = offset
    for size in template.elements:
        intervals = [_interval(rnd, template, odd, position + i) for i in range(size)]
        position += size + rnd.choice([0, 0, 1])
        element: dict[str, Any] = {"intervals": intervals}
        if template.inner_nmi:
            element = {"nmi": nmi if rnd.random() >= odd else template.site_ids[0], **element}
        elements.append(element)
    minute, second = rnd.randint(0, 59), rnd.randint(0, 59)
    values: dict[str, Any] = {
        "nmi": nmi,
        "oeTiming": "PRE" if rnd.random() >= odd else rnd.choice(["POST", "pre", None]),
        "oeObjectiveFunction": "größer" if rnd.random() < odd else "a",
        "oeApplicationLevel": "NMI" if rnd.random() >= odd else "Flex",
        "operatingEnvelopes": elements,
        "tradingDate": "2026-11-20",
    }
    submitted = f"2026-11-19T20:{minute:02}:{second:02}+10:00"
    if rnd.random() < odd:
        submitted = rnd.choice(ODD_TIMES)
    values["submissionTimestamp"] = values["submissionDatetime"] = submitted
    chosen = {key: values[key] for key in template.keys}
    if rnd.random() < odd / 2:
        chosen["more"] = 1
    text = json.dumps(chosen, separators=style.separators, ensure_ascii=False)
    text = _Numbers(rnd, template, odd).fill(text)
    return text.replace('"oeTiming"', '"oeTiming":"PRE","oeTiming"', int(rnd.random() < odd / 4))


def _interval(rnd: random.Random, template: _Template, odd: float, position: int) -> dict[str, Any]:
    start = START + timedelta(minutes=5 * position)
    end = start + timedelta(minutes=5)
    texts = [start.isoformat(), end.isoformat()]
    if template.times == "naive":
        texts = [text[:-6] for text in texts]
    if rnd.random() < odd / 4:
        texts[rnd.randrange(2)] = rnd.choice(ODD_TIMES)
    interval: dict[str, Any] = {kind: f"#{kind}" for kind in template.kinds}
    if template.times != "end":
        interval["diStartTime"] = texts[0]
    if template.times != "start":
        interval["diEndTime"] = texts[1]
    return interval


class _Numbers:
    """Puts numbers in the places that are marked with the name of a kind."""

    def __init__(self, rnd: random.Random, template: _Template, odd: float) -> None:
        self._rnd = rnd
        self._template = template
        self._odd = odd

    def fill(self, text: str) -> str:
        """Fill all places."""
        for kind in self._template.kinds:
            head, *rest = text.split(f'"#{kind}"')
            text = head + "".join(self._number(kind) + piece for piece in rest)
        return text

    def _number(self, kind: str) -> str:
        rnd, template = self._rnd, self._template
        if rnd.random() < template.nulls:
            return "null"
        if rnd.random() < self._odd / 3:
            return rnd.choice(ODD_NUMBERS)
        whole = rnd.randint(0, template.whole)
        decimals = rnd.randint(0, template.decimals)
        digits = "".join(rnd.choice("0123456789") for _ in range(decimals))
        sign = template.sign if "Import" in kind else ""
        return f"{sign}{whole}" + (f".{digits}" if digits else "")
