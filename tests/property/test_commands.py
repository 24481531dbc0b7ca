"""No file and no option makes a command of the EDGE datasets end with an internal error.

Commands and options are read from the command line's own description, so that a new one is tested
as well: with any value it exits with 0, 1 or 2, and with ``--json`` stdout is JSON.
"""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from oepnode.cli.main import app
from oepnode.domain.edge.forecasts import validate as forecasts
from oepnode.domain.edge.telemetry import validate as telemetry
from tests.support import edge_documents
from tests.support.telemetry_columns import record

GROUPS = ("boffer", "dispatch", "envelope", "forecast", "telemetry")
TEXTS = (
    *("inf", "-inf", "nan", "", "-", "1e400", "-1e-400", "9" * 25, "-" + "9" * 25, "9" * 400),
    *(
        "0",
        "-1",
        "1.0005",
        "0.05",
        "٣",
        "1_0",
        "0x1",
        "\x1b[31m",
        "UNIT1",
        edge_documents.NMI,
        "NMI",
        "Flex",
    ),
    *(
        "0001-01-01",
        "1970-01-01",
        "2105-12-31",
        "2106-01-01",
        "9999-12-31",
        edge_documents.DAY,
        "mean",
    ),
)
NUMBERS = (b"NaN", b"-Infinity", b"1e999", b"9" * 400, b"1e-400", b'"5"', b"null", b"true", b"[1]")
EXTREMES = (-(2**63), -(2**31), -1, 2**31 - 1, 2**62, 2**63 - 1)
OUTPUTS = {"out": ".csv", "plot": ".svg", "heatmap": ".svg"}
NEEDED = {
    "price": "5",
    "default_export_kw": "0",
    "default_import_kw": "0",
    "telemetry": "",
    "envelope": "",
}
"""Options without which a command does nothing; those without a value are files."""
CHAIN = {"rpc", "contract", "chain_id", "round_state", "key"}
RUNS, SEEDS = 20, 4

Files = dict[str, list[str]]


# --- files ---------------------------------------------------------------------------------------


def documents() -> dict[str, bytes]:
    """A small document of each dataset, and what a command writes for another."""
    start = edge_documents.DAY_START_S
    ends = [edge_documents.nem(start + 300 * number) for number in (1, 2)]
    cleared = "unit,level,interval_end,cleared_w\n" + "".join(f"UNIT1,NMI,{e},5\n" for e in ends)
    prices = "interval_end,price\n" + "".join(f"{e},5\n" for e in ends)
    bids, sent = (
        [edge_documents.period(1), edge_documents.period(2)],
        edge_documents.nem(start - 60),
    )
    envelope = record(edge_documents.NMI, [(5, -5)] * 2, submitted=start - 600)
    return {
        "boffer": edge_documents.document(
            edge_documents.nmi_boffer(edge_documents.bid(*bids), submissionDateTime=sent)
        ),
        "dispatch": edge_documents.document(
            edge_documents.instruction(1), edge_documents.instruction(2)
        ),
        "envelope": json.dumps([envelope]).encode(),
        "forecast": edge_documents.document(edge_documents.forecast(1), edge_documents.forecast(2)),
        "telemetry": edge_documents.document(edge_documents.nmi_telemetry()),
        "unit": edge_documents.document(edge_documents.duid_telemetry()),
        "cleared": cleared.encode(),
        "prices": prices.encode(),
    }


def damaged(data: bytes, rng: random.Random) -> Iterator[bytes]:
    """The ways in which a document arrives broken."""
    yield data[: rng.randrange(len(data))]
    yield gzip.compress(data)
    yield b"\xef\xbb\xbf" + data
    yield data.decode().encode("utf-16")
    yield data + data
    yield re.sub(rb"\d\d\d\d-\d\d-\d\d", b"2105-12-31", data)
    yield re.sub(rb"\d\d\d\d-\d\d-\d\d", b"1970-01-01", data)
    for number in rng.sample(NUMBERS, 4):
        yield re.sub(rb"(?<=[:,\[ ])-?\d+(\.\d+)?(?=[,\]}\n])", number, data)


def columns(rows: pl.DataFrame, rng: random.Random) -> Iterator[pl.DataFrame]:
    """Rows with one column that holds what it may not."""
    for name in rows.columns:
        value = rng.choice(EXTREMES)
        dtype = pl.Int32 if rows[name].dtype == pl.Int32 and abs(value) <= 2**31 else pl.Int64
        yield rows.with_columns(pl.lit(value, dtype=dtype).alias(name))
        other = rng.choice([None, 2**64 - 1, float("nan"), "x", [1], True])
        yield rows.with_columns(pl.Series(name, [other] * rows.height))
        yield rows.drop(name)
    yield rows.head(0)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Files by dataset, the good one first; ``odd`` are files of no dataset."""
    rng, folder = random.Random(0), tmp_path_factory.mktemp("odd")
    paths: Files = {}
    for name, data in documents().items():
        paths[name] = [str(folder / f"{name}-{number}") for number in range(12)]
        for path, content in zip(paths[name], (data, *damaged(data, rng)), strict=True):
            Path(path).write_bytes(content)
    for name, module in (("telemetry", telemetry), ("forecast", forecasts)):
        rows = module.validate(Path(paths[name][0]).read_bytes()).value
        assert rows is not None
        for number, frame in enumerate(columns(rows, rng)):
            paths[name].append(str(folder / f"{name}-{number}.parquet"))
            frame.write_parquet(paths[name][-1])
    odd = {"empty": b"", "array": b"[]", "deep": b"[" * 9999, "null": b"null", "parquet": b"PAR1"}
    for name, data in odd.items():
        (folder / name).write_bytes(data)
    paths["odd"] = [str(folder / name) for name in (*odd, "absent", ".")]
    return paths


# --- words ---------------------------------------------------------------------------------------


def commands() -> list[tuple[tuple[str, str], list[Any]]]:
    """The words of every command of the EDGE datasets, with its parameters."""
    root: Any = typer.main.get_command(app)
    return [
        ((group, name), [known for known in command.params if known.name not in CHAIN])
        for group in GROUPS
        for name, command in root.commands[group].commands.items()
    ]


def is_file(known: Any) -> bool:
    return bool(known.type_descriptor.annotation is Path)


def dataset_of(group: str, known: Any) -> str:
    """The dataset that a file should hold."""
    return str(known.name) if known.name in documents() else group


def odd_value(known: Any, group: str, files: Files, rng: random.Random) -> str:
    if known.name in OUTPUTS:
        return rng.choice(["", "absent/x"]) + str(known.name) + OUTPUTS[known.name]
    if is_file(known):
        return rng.choice(rng.choice([files[dataset_of(group, known)], files["odd"]]))
    return rng.choice(TEXTS)


def words_of(
    words: tuple[str, str], known: list[Any], files: Files, odd: Any, rng: random.Random
) -> list[str]:
    """A right call, but for the odd parameter if there is one."""
    group, call = words[0], list(words)
    if rng.random() < 0.5:
        call.append("--json")
    for one in known:
        is_argument = one.param_type_name == "argument"
        if not (is_argument or one is odd or one.name in NEEDED) or one.name == "json":
            continue
        if getattr(one, "is_flag", False):
            call += one.opts[:1]
            continue
        if one is odd:
            value = odd_value(one, group, files, rng)
        else:
            value = NEEDED.get(one.name) or files[dataset_of(group, one)][0]
        call += [value] if is_argument else [one.opts[0], value]
    return call


def check(words: list[str]) -> int:
    """Run a command, check its exit code and output, and return the exit code."""
    done = CliRunner().invoke(app, words)
    assert done.exit_code in {0, 1, 2}, (words, done.output)
    assert done.exception is None or isinstance(done.exception, SystemExit), (words, done.exception)
    assert "Traceback" not in done.output, words
    if "--json" in words:
        json.loads(done.stdout)
    return done.exit_code


# --- the law -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_file_and_no_option_causes_an_internal_error(
    files: Files, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = random.Random(seed)
    codes = set()
    for _ in range(RUNS):
        words, known = rng.choice(commands())
        codes.add(check(words_of(words, known, files, rng.choice(known), rng)))
    assert codes == {0, 1, 2}, "some calls are right, some files are rejected, some words wrong"


def test_every_command_works_with_valid_files_and_options(files: Files) -> None:
    rng = random.Random(0)
    for words, known in commands():
        assert check(words_of(words, known, files, None, rng)) in {0, 1}, words
