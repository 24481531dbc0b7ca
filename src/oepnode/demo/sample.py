"""Sample data from a seed: an envelope document, a registry snapshot, its salt and private keys.

Guarantees: the same plan gives the same bytes; document and snapshot follow rules-v1 without a
fault or warning; memory stays bounded whatever the number of NMIs. Nothing here is secret: salt
and private keys follow from the seed, so they are for trying things out only. The NMIs lie in
AusNet's blocks but are drawn at random; a real one among them is there by chance.
Source: Part C §6.3, rules-v1 sections 3 to 6; layout of the files: docs/sample-data.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from msgspec import json as msgspec_json

from oepnode.adapters.crypto import hpke as sealing
from oepnode.adapters.crypto.keyfile import write_secret
from oepnode.domain.documents.progress import Progress
from oepnode.domain.nem.nem_time import INTERVAL_S, format_nem, period_start
from oepnode.domain.nem.nmi import ALPHABET
from oepnode.domain.rounds.inputs.registry_snapshot import Aggregator, snapshot_json
from oepnode.errors import ConfigError

DEFAULT_DATE: Final = date(2026, 11, 20)
MAX_NMIS: Final = 11_000_000
"""About all NMIs of the NEM."""

_FIRST_NUMERIC: Final = 6_305_000_000
_NUMERIC_BLOCK: Final = 2_000_000
"""6305…… and 6306……, AusNet's numeric block."""
_LETTER_BLOCK: Final = b"VBBB"
"""AusNet's block of letters, used where the numeric one is full."""
_YEARS: Final = range(1972, 2105)
_MAX_AGGREGATORS: Final = 999
_CHUNK_BYTES: Final = 8 * 2**20
_OBJECTIVE: Final = "maximise_aggregate_export"
_LEVELS: Final = ("NMI", "Flex")
_HELD_SINCE_DAYS: Final = (30, 200, 400)
"""How long before the trading day assignments began."""

SUBMITTED_BEFORE_S: Final = 1800
"""How long before the horizon the envelopes were submitted."""

_LEAST_EXPORT, MOST_STEPS = 150, 1000
_LEAST_IMPORT: Final = 200
"""Limits in steps of 10 W: exports 1.5 to 10 kW, imports 2 to 10 kW."""

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SamplePlan:
    """What to make.

    Attributes:
        nmis: Number of NMIs.
        aggregators: Number of aggregators, of Zipf-like sizes.
        intervals: Dispatch intervals from 04:00 of ``day``, 1 to 576.
        day: The trading day.
        seed: Of everything random.
        unassigned: NMIs that no aggregator holds.
        flex: Share of NMIs, 0 to 1, whose envelope is for the Flex level instead of the NMI.
        format: ``json`` (one array) or ``ndjson``.

    Raises:
        ConfigError: If a number is out of its range.
    """

    nmis: int = 300
    aggregators: int = 3
    intervals: int = 288
    day: date = DEFAULT_DATE
    seed: int = 1
    unassigned: int = 4
    flex: float = 0.0
    format: Literal["json", "ndjson"] = "json"

    def __post_init__(self) -> None:
        _require("--aggregators", self.aggregators, 1, _MAX_AGGREGATORS)
        _require("--unassigned", self.unassigned, 0, MAX_NMIS)
        _require("--nmis", self.nmis, self.aggregators + self.unassigned, MAX_NMIS)
        _require("--intervals", self.intervals, 1, 576)
        _require("--seed", self.seed, 0, 2**63 - 1)
        _require("--flex", self.flex, 0, 1)
        _require("--date (its year)", self.day.year, _YEARS[0], _YEARS[-1])

    @property
    def horizon_start(self) -> int:
        """Start of the first interval, UTC seconds."""
        return period_start(self.day, 1)

    @property
    def change_at(self) -> int:
        """When one NMI changes aggregator, UTC seconds; on the grid of dispatch intervals."""
        return self.horizon_start + self.intervals // 2 * INTERVAL_S

    @property
    def has_change(self) -> bool:
        """Whether there are two aggregators and two intervals for a change in between."""
        return self.aggregators > 1 and self.intervals > 1


class SampleSummary(Struct, frozen=True):
    """What was made: counts and digests, no NMI.

    Attributes:
        nmis: Number of NMIs, and so of records and of sites.
        flex_nmis: NMIs whose envelope is for the Flex level.
        unassigned_nmis: NMIs that no aggregator holds.
        changing_nmis: NMIs that change aggregator inside the horizon.
        aggregators: Number of aggregators.
        aggregator_nmis: NMIs per aggregator id at the start of the horizon.
        horizon_start: UTC seconds.
        intervals: Dispatch intervals of the horizon.
        trading_date: ISO date.
        seed: Of everything random.
        envelope_file: Name of the document's file.
        envelope_digest: SHA-256 of the document, hex.
        envelope_bytes: Size of the document.
        registry_digest: SHA-256 of the snapshot, hex.
        registry_bytes: Size of the snapshot.
    """

    nmis: int
    flex_nmis: int
    unassigned_nmis: int
    changing_nmis: int
    aggregators: int
    aggregator_nmis: dict[str, int]
    horizon_start: int
    intervals: int
    trading_date: str
    seed: int
    envelope_file: str
    envelope_digest: str
    envelope_bytes: int
    registry_digest: str
    registry_bytes: int


@dataclass(frozen=True)
class Sites:
    """The NMIs of a sample, as columns.

    Attributes:
        nmi: Shape (nmis, 10), ASCII, in order.
        holder: Index of the aggregator at the start of the horizon, or −1.
        is_flex: Whether the envelope is for the Flex level.
        changing: Index of the NMI that changes from aggregator 0 to 1, or −1.
    """

    nmi: Bytes
    holder: npt.NDArray[np.int16]
    is_flex: npt.NDArray[np.bool_]
    changing: int


class LimitChunk(NamedTuple):
    """Limits of some sites.

    Attributes:
        sites: Which.
        exports: Shape (sites, intervals), steps of 10 W.
        imports: The same, as magnitudes.
    """

    sites: slice
    exports: npt.NDArray[np.int16]
    imports: npt.NDArray[np.int16]


# -- the whole sample ------------------------------------------------------------------------


def write_sample(
    plan: SamplePlan, out: Path, progress: Progress = lambda _stage, _done, _all: None
) -> SampleSummary:
    """Write a sample into a new or empty folder.

    Raises:
        ConfigError: If the folder is not empty or cannot be written.
    """
    _make_empty(out)
    sites = make_sites(plan)
    envelope = f"envelope.{plan.format}"
    try:
        document = _write(out / envelope, envelope_chunks(plan, sites, progress))
        snapshot = _write(out / "registry.json", registry_chunks(plan, sites, progress))
        summary = _summary(plan, sites, envelope, document, snapshot)
        _write_secrets(plan, out)
        (out / "sample.json").write_bytes(msgspec_json.format(msgspec_json.encode(summary)) + b"\n")
    except OSError as exc:
        raise ConfigError(f"{out}: cannot be written: {exc.strerror}") from exc
    return summary


def sample_salt(seed: int) -> bytes:
    """The salt of a sample, 32 bytes. Not secret: it follows from the seed."""
    return sha256(b"oepnode sample salt %d" % seed).digest()


def sample_private_key(seed: int, aggregator_id: str) -> bytes:
    """An aggregator's X25519 private key, 32 bytes. Not secret: it follows from the seed."""
    return sha256(b"oepnode sample key %d " % seed + aggregator_id.encode()).digest()


def sample_aggregators(plan: SamplePlan) -> list[Aggregator]:
    """The aggregators of a sample, largest first; ids and names are plainly invented."""
    return [
        Aggregator(
            id=identity,
            name=f"Sample Aggregator {number}",
            public_key=sealing.public_key_of(sample_private_key(plan.seed, identity)),
        )
        for number, identity in enumerate(aggregator_ids(plan), 1)
    ]


def aggregator_ids(plan: SamplePlan) -> list[str]:
    """Ids of the aggregators, largest first."""
    return [f"sample-{number:02d}" for number in range(1, plan.aggregators + 1)]


def _write(path: Path, chunks: Iterator[bytes]) -> tuple[str, int]:
    """Write chunks; returns the SHA-256 in hex and the size."""
    digest, size = sha256(), 0
    with path.open("xb") as file:
        for chunk in chunks:
            file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def _write_secrets(plan: SamplePlan, out: Path) -> None:
    write_secret(out / "salt", sample_salt(plan.seed).hex().encode() + b"\n")
    for aggregator in sample_aggregators(plan):
        value = {
            "aggregator": aggregator.id,
            "publicKey": aggregator.public_key.hex(),
            "privateKey": sample_private_key(plan.seed, aggregator.id).hex(),
        }
        path = out / "keys" / f"{aggregator.id}.key.json"
        write_secret(path, json.dumps(value, indent=2).encode() + b"\n")


def _summary(
    plan: SamplePlan,
    sites: Sites,
    envelope: str,
    document: tuple[str, int],
    snapshot: tuple[str, int],
) -> SampleSummary:
    sizes = np.bincount(sites.holder[sites.holder >= 0], minlength=plan.aggregators)
    return SampleSummary(
        nmis=plan.nmis,
        flex_nmis=int(sites.is_flex.sum()),
        unassigned_nmis=plan.unassigned,
        changing_nmis=int(sites.changing >= 0),
        aggregators=plan.aggregators,
        aggregator_nmis={name: int(sizes[i]) for i, name in enumerate(aggregator_ids(plan))},
        horizon_start=plan.horizon_start,
        intervals=plan.intervals,
        trading_date=plan.day.isoformat(),
        seed=plan.seed,
        envelope_file=envelope,
        envelope_digest=document[0],
        envelope_bytes=document[1],
        registry_digest=snapshot[0],
        registry_bytes=snapshot[1],
    )


# -- sites -----------------------------------------------------------------------------------


def make_sites(plan: SamplePlan) -> Sites:
    """Draw the NMIs, who holds them, and which are for the Flex level."""
    random = random_stream(plan, "sites")
    numbers = np.sort(_draw_numbers(plan.nmis, random))
    sizes = zipf_sizes(plan.nmis - plan.unassigned, plan.aggregators)
    holder = np.full(plan.nmis, -1, dtype=np.int16)
    holder[: sum(sizes)] = np.repeat(np.arange(plan.aggregators, dtype=np.int16), sizes)
    random.shuffle(holder)
    is_flex = np.arange(plan.nmis) < round(plan.nmis * plan.flex)
    random.shuffle(is_flex)
    changing = int(np.argmax(holder == 0)) if plan.has_change else -1
    return Sites(_nmi_text(numbers), holder, is_flex, changing)


def zipf_sizes(total: int, parts: int) -> list[int]:
    """Split ``total`` into sizes in proportion to 1, 1/2, 1/3, …, each at least 1."""
    weights = 1 / np.arange(1, parts + 1)
    shares = weights / weights.sum() * (total - parts)
    sizes = np.floor(shares).astype(np.int64) + 1
    largest_rests = np.argsort(-(shares % 1), kind="stable")[: total - int(sizes.sum())]
    sizes[largest_rests] += 1
    return [int(size) for size in sizes]


def _draw_numbers(count: int, random: np.random.Generator) -> npt.NDArray[np.int64]:
    """Distinct positions in the blocks: the numeric one first, then that of letters."""
    if count <= _NUMERIC_BLOCK:
        return random.choice(_NUMERIC_BLOCK, count, replace=False)
    return np.arange(count)


def _nmi_text(numbers: npt.NDArray[np.int64]) -> Bytes:
    """Positions in the blocks as NMIs, shape (n, 10) of ASCII."""
    numeric = numbers[numbers < _NUMERIC_BLOCK] + _FIRST_NUMERIC
    letters = numbers[numbers >= _NUMERIC_BLOCK] - _NUMERIC_BLOCK
    alphabet = np.frombuffer(ALPHABET.encode(), dtype=np.uint8)
    digits = alphabet[_digits(numeric, 10, 10)]
    tail = alphabet[_digits(letters, len(ALPHABET), 6)]
    head = np.frombuffer(_LETTER_BLOCK, dtype=np.uint8)
    return np.concatenate((digits, np.hstack((np.tile(head, (len(tail), 1)), tail))))


def _digits(numbers: npt.NDArray[np.int64], base: int, width: int) -> npt.NDArray[np.int64]:
    """Digits of numbers in a base, most significant first, shape (n, width)."""
    return numbers[:, None] // base ** np.arange(width - 1, -1, -1) % base


# -- the envelope document -------------------------------------------------------------------


def envelope_chunks(plan: SamplePlan, sites: Sites, progress: Progress) -> Iterator[bytes]:
    """The envelope document's bytes, in pieces of a few megabytes."""
    submitted = plan.horizon_start - SUBMITTED_BEFORE_S
    limits = limit_chunks(plan)
    return document_chunks(plan, sites, limits, progress, timing="PRE", submitted=submitted)


def limit_chunks(plan: SamplePlan) -> Iterator[LimitChunk]:
    """The sites' limits, some at a time: the same numbers as often as it is called."""
    limits = _Limits(plan)
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
    """An envelope document's bytes, a piece for each piece of limits.

    Every record has the same length, because limits are written with four characters (five with
    their sign): so a piece is a matrix of bytes, copied from one record and filled in by column.
    """
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
    """One record as bytes, and where its NMI and limits stand."""

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
        self._nmis = [i + len('"nmi":"') for i in _places(head, '"nmi":"')]
        self._first, self._size, self._count = len(head), len(interval[0]) + 1, plan.intervals
        self._export = interval[0].index("0.00")
        self._import = interval[0].index("-0.00")
        self.length = len(text)

    def fill(
        self, nmi: Bytes, exports: npt.NDArray[np.int16], imports: npt.NDArray[np.int16]
    ) -> bytes:
        """Records of sites; limits have shape (sites, intervals), in steps of 10 W."""
        rows = np.empty((len(nmi), self.length), dtype=np.uint8)
        rows[:] = self._row
        for place in self._nmis:
            rows[:, place : place + 10] = nmi
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


def _places(text: str, part: str) -> list[int]:
    return [i for i in range(len(text)) if text.startswith(part, i)]


def _limit_table(sign: str) -> Bytes:
    """Text of 0 to 10 kW in steps of 10 W, all of one width: 9.99 and 10.0."""
    texts = [
        f"{sign}{step // 100}.{step % 100:02d}"[: 4 + len(sign)] for step in range(MOST_STEPS + 1)
    ]
    return np.frombuffer("".join(texts).encode(), dtype=np.uint8).reshape(MOST_STEPS + 1, -1)


_EXPORT_TEXT: Final = _limit_table("")
_IMPORT_TEXT: Final = _limit_table("-")


class _Limits:
    """Draws limits: exports low at midday when solar fills the network, imports low at the peak."""

    def __init__(self, plan: SamplePlan) -> None:
        self._random = random_stream(plan, "limits")
        local = (4 * 3600 + np.arange(plan.intervals) * INTERVAL_S + INTERVAL_S / 2) % 86_400
        hour = local / 3600
        sun = np.sin(np.pi * np.clip((hour - 6) / 13.5, 0, 1)) ** 1.5
        self._solar = (sun * _clouds(plan)).astype(np.float32)
        self._peak = np.exp(-(((hour - 18.5) / 2) ** 2)).astype(np.float32)

    def draw(self, sites: int) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int16]]:
        """Export and import limits of sites, shape (sites, intervals), in steps of 10 W."""
        most_export = self._between(500, 1000, sites)
        depth = self._between(0.35, 0.85, sites)
        most_import = self._between(500, 1000, sites)
        exports = most_export * (1 - depth * self._solar)
        imports = most_import * (1 - np.float32(0.45) * self._peak)
        return self._steps(exports, _LEAST_EXPORT), self._steps(imports, _LEAST_IMPORT)

    def _between(self, low: float, high: float, sites: int) -> Floats:
        drawn = self._random.random((sites, 1), dtype=np.float32)
        return np.float32(low) + drawn * np.float32(high - low)

    def _steps(self, values: Floats, least: int) -> npt.NDArray[np.int16]:
        """Add a site's own noise, and round to the steps within the range."""
        values += self._random.standard_normal(values.shape, dtype=np.float32) * np.float32(12)
        return np.clip(values, least, MOST_STEPS).astype(np.int16)


def _clouds(plan: SamplePlan) -> npt.NDArray[np.float64]:
    """Share of the sun that reaches the network in each interval, 0.6 to 1, smooth over an hour."""
    drawn = random_stream(plan, "clouds").random(plan.intervals + 11)
    return 0.6 + 0.4 * np.convolve(drawn, np.full(12, 1 / 12), mode="valid")


# -- the registry snapshot -------------------------------------------------------------------


def registry_chunks(plan: SamplePlan, sites: Sites, progress: Progress) -> Iterator[bytes]:
    """The registry snapshot's bytes, in pieces of a few megabytes."""
    as_of = format_nem(plan.horizon_start - 4 * 3600)
    salt_digest = sha256(sample_salt(plan.seed)).digest()
    head = snapshot_json(as_of, salt_digest, sample_aggregators(plan), [])
    yield _without_end(head)
    separator = b""
    for first in range(0, plan.nmis, step := _CHUNK_BYTES // 128):
        part = slice(first, min(first + step, plan.nmis))
        lines = _assignments(plan, sites, part)
        if lines:
            yield separator + ",\n".join(lines).encode()
            separator = b",\n"
        progress("registry", part.stop, plan.nmis)
    yield b"]}\n"


def _without_end(snapshot: dict[str, Any]) -> bytes:
    """A snapshot without assignments, up to where its assignments stand."""
    text = json.dumps(snapshot, separators=(",", ":"))
    return text.removesuffix("]}").encode() + b"\n"


def _assignments(plan: SamplePlan, sites: Sites, part: slice) -> list[str]:
    held = np.arange(part.start, part.stop)[sites.holder[part] >= 0]
    names = sites.nmi[held].tobytes().decode()
    ids = aggregator_ids(plan)
    starts = [
        format_nem(period_start(plan.day - timedelta(days=days), 1)) for days in _HELD_SINCE_DAYS
    ]
    change = format_nem(plan.change_at)
    lines = []
    for row, (site, holder) in enumerate(
        zip(held.tolist(), sites.holder[held].tolist(), strict=True)
    ):
        nmi, start = names[row * 10 : row * 10 + 10], starts[site % len(starts)]
        if site == sites.changing:
            lines.append(_assignment(nmi, ids[0], start, f'"{change}"'))
            lines.append(_assignment(nmi, ids[1], change, "null"))
        else:
            lines.append(_assignment(nmi, ids[holder], start, "null"))
    return lines


def _assignment(nmi: str, aggregator: str, start: str, end: str) -> str:
    return f'{{"nmi":"{nmi}","aggregator":"{aggregator}","from":"{start}","to":{end}}}'


# -- helpers ---------------------------------------------------------------------------------


def random_stream(plan: SamplePlan, stream: str) -> np.random.Generator:
    """A stream of its own for each purpose, so that one change does not move all the others."""
    return np.random.Generator(np.random.PCG64([plan.seed, *stream.encode()]))


def _require(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise ConfigError(f"{name} must be {least} to {most}, received {value}")


def _make_empty(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        is_empty = next(out.iterdir(), None) is None
    except OSError as exc:
        raise ConfigError(f"{out}: cannot be made: {exc.strerror}") from exc
    if not is_empty:
        raise ConfigError(f"{out}: not empty; name a new folder, nothing is overwritten")
