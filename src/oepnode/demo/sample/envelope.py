"""The envelope document of a sample, written in pieces.

Every record has the same length, because limits are written with four characters (five with their
sign): so a piece is a matrix of bytes, copied from one record and filled in by column.
Source: Part C §6.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Literal

import numpy as np

from oepnode.demo.sample.limits import MOST_STEPS, LimitChunk, LimitModel
from oepnode.demo.sample.plan import SUBMITTED_BEFORE_S, SamplePlan
from oepnode.demo.sample.sites import Sites
from oepnode.domain.documents.arrays import Bytes, Int16s
from oepnode.domain.documents.progress import Progress
from oepnode.domain.nem.nem_time import INTERVAL_S, format_nem

_CHUNK_BYTES: Final = 8 * 2**20
_OBJECTIVE: Final = "maximise_aggregate_export"
_LEVELS: Final = ("NMI", "Flex")


def envelope_chunks(plan: SamplePlan, sites: Sites, progress: Progress) -> Iterator[bytes]:
    """The envelope document's bytes, in pieces of a few megabytes."""
    submitted = plan.horizon_start - SUBMITTED_BEFORE_S
    limits = limit_chunks(plan)
    return document_chunks(plan, sites, limits, progress, timing="PRE", submitted=submitted)


def limit_chunks(plan: SamplePlan) -> Iterator[LimitChunk]:
    """The sites' limits in chunks; every call yields the same numbers."""
    limits = LimitModel(plan)
    step = max(1, _CHUNK_BYTES // _Template(plan, _LEVELS[0], b",\n", "PRE", 0).length)
    for first in range(0, plan.nmis, step):
        part = slice(first, min(first + step, plan.nmis))
        exports, imports = limits.draw(part.stop - part.start)
        yield LimitChunk(part, exports, imports)


def document_chunks(
    plan: SamplePlan,
    sites: Sites,
    limits: Iterable[LimitChunk],
    progress: Progress,
    *,
    timing: Literal["PRE", "POST"],
    submitted: int,
) -> Iterator[bytes]:
    """An envelope document's bytes, one piece per chunk of limits."""
    separator, end = (b",\n", b"]\n") if plan.format == "json" else (b"\n", b"\n")
    templates = [_Template(plan, level, separator, timing, submitted) for level in _LEVELS]
    if plan.format == "json":
        yield b"["
    for chunk in limits:
        part = chunk.sites
        flex = sites.is_flex[part]
        pieces = [
            template.fill(sites.nmi[part][mask], chunk.exports[mask], chunk.imports[mask])
            for template, mask in zip(templates, (~flex, flex), strict=True)
        ]
        text = b"".join(pieces)
        is_last = part.stop == plan.nmis
        yield text[: -len(separator)] + end if is_last else text
        progress("envelope", part.stop, plan.nmis)


class _Template:
    """One record as bytes, with the positions of its NMI and limits."""

    def __init__(
        self, plan: SamplePlan, level: str, separator: bytes, timing: str, submitted: int
    ) -> None:
        interval = [
            _interval_text(plan.horizon_start + i * INTERVAL_S) for i in range(plan.intervals)
        ]
        head = (
            f'{{"nmi":"{"0" * 10}","oeTiming":"{timing}","oeObjectiveFunction":"{_OBJECTIVE}",'
            f'"oeApplicationLevel":"{level}","operatingEnvelopes":[{{"nmi":"{"0" * 10}",'
            f'"oeApplicationLevel":"{level}","intervals":['
        )
        tail = f']}}],"submissionTimestamp":"{format_nem(submitted)}"}}'
        text = (head + ",".join(interval) + tail).encode() + separator
        self._row = np.frombuffer(text, dtype=np.uint8)
        self._nmis = [i + len('"nmi":"') for i in _positions(head, '"nmi":"')]
        self._first, self._size, self._count = len(head), len(interval[0]) + 1, plan.intervals
        self._export = interval[0].index("0.00")
        self._import = interval[0].index("-0.00")
        self.length = len(text)

    def fill(self, nmi: Bytes, exports: Int16s, imports: Int16s) -> bytes:
        """Records of sites; limits have shape (sites, intervals), in steps of 10 W."""
        rows = np.empty((len(nmi), self.length), dtype=np.uint8)
        rows[:] = self._row
        for start in self._nmis:
            rows[:, start : start + 10] = nmi
        end = self._first + self._size * self._count
        shape = (len(nmi), self._count, self._size)
        intervals = rows[:, self._first : end].reshape(shape, copy=False)
        intervals[:, :, self._export : self._export + 4] = _EXPORT_TEXT[exports]
        intervals[:, :, self._import : self._import + 5] = _IMPORT_TEXT[imports]
        return rows.tobytes()


def _interval_text(start: int) -> str:
    return (
        '{"activePowerExportLimit":0.00,"activePowerImportLimit":-0.00,'
        f'"diStartTime":"{format_nem(start)}","diEndTime":"{format_nem(start + INTERVAL_S)}"}}'
    )


def _positions(text: str, part: str) -> list[int]:
    return [i for i in range(len(text)) if text.startswith(part, i)]


def _limit_table(sign: str) -> Bytes:
    """Text of 0 to 10 kW in steps of 10 W, all of the same width: 9.99 and 10.0."""
    texts = [
        f"{sign}{step // 100}.{step % 100:02d}"[: 4 + len(sign)] for step in range(MOST_STEPS + 1)
    ]
    return np.frombuffer("".join(texts).encode(), dtype=np.uint8).reshape(MOST_STEPS + 1, -1)


_EXPORT_TEXT: Final = _limit_table("")
_IMPORT_TEXT: Final = _limit_table("-")
