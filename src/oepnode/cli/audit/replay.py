"""``oepnode audit replay``: a round computed again from its inputs, beside the chain's root.

Source: ``docs/auditors.md``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from oepnode.adapters.storage import input_archive as archive
from oepnode.cli.audit.record import NumberArgument, Record, read_record
from oepnode.cli.common import keypair, output
from oepnode.cli.common.chain import (
    ChainIdOption,
    ChainTarget,
    ContractOption,
    RpcOption,
    StartBlockOption,
    phase_name,
)
from oepnode.cli.common.output import JsonFlag, hexed
from oepnode.domain.documents.progress import Progress as Told
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds import replay as replaying
from oepnode.domain.rounds import tally
from oepnode.domain.rounds.computation import Inputs
from oepnode.domain.rounds.onchain import BallotCast, Phase
from oepnode.domain.rounds.replay import Verdict
from oepnode.errors import ConfigError, EvidenceError


def replay(
    number: NumberArgument,
    archive_file: Annotated[
        Path | None, typer.Option("--archive", help="Inputs that a worker sealed to your key.")
    ] = None,
    key: Annotated[Path | None, typer.Option("--key", help="Your key file, for --archive.")] = None,
    envelope: Annotated[
        Path | None, typer.Option("--envelope", help="Envelope document, if not from an archive.")
    ] = None,
    registry: Annotated[
        Path | None, typer.Option("--registry", help="Registry snapshot, if not from an archive.")
    ] = None,
    salt: Annotated[
        Path | None,
        typer.Option("--salt", help="The snapshot's salt as 64 hex digits, mode 0600."),
    ] = None,
    profile: Annotated[
        str, typer.Option("--profile", help="wide or edge; an archive has its own.")
    ] = "wide",
    import_sign: Annotated[
        str, typer.Option("--import-sign", help="canonical or magnitude; an archive has its own.")
    ] = "canonical",
    rpc: RpcOption = None,
    contract: ContractOption = None,
    chain_id: ChainIdOption = None,
    start_block: StartBlockOption = 0,
    as_json: JsonFlag = False,
) -> None:
    """Compute a round again from its inputs, and say whether that gives the chain's root.

    Takes either --archive and --key, or --envelope, --registry and --salt.
    """
    files = (envelope, registry, salt)
    feed = _feed(profile, import_sign)
    if archive_file is not None and not any(files):
        pair = keypair.load(_named(key, "--archive needs --key, the auditor's key file"))
    elif archive_file is None and all(files):
        pair = None
    else:
        raise ConfigError("take either --archive and --key, or --envelope, --registry and --salt")
    record = read_record(number, ChainTarget(rpc, contract, chain_id, start_block))
    if pair is not None and archive_file is not None:
        sealed = output.read_file(archive_file, "archive", archive.MAX_INPUTS + 4096)
        inputs = archive.open_inputs(pair.private_key, sealed, record.context)
    else:
        inputs = _inputs(files, feed)
    with _progress() as told:
        verdict = replaying.replay(inputs, record.context, record.opened, record.state, told)
    _say_verdict(record, verdict, as_json=as_json)


def _inputs(files: tuple[Path | None, Path | None, Path | None], feed: Feed) -> Inputs:
    envelope, registry, salt = files
    limit = archive.MAX_INPUTS
    return Inputs(
        output.read_file(_named(envelope, "--envelope"), "envelope document", limit),
        output.read_file(_named(registry, "--registry"), "registry snapshot", limit),
        _salt(_named(salt, "--salt")),
        feed,
    )


def _salt(path: Path) -> bytes:
    from oepnode.adapters.crypto import keyfile

    data = keyfile.read_secret(path, "salt")
    try:
        salt = bytes.fromhex(data.decode("ascii"))
    except ValueError:
        salt = b""
    if len(salt) != 32:
        raise ConfigError(f"{path}: a salt is 64 hex digits")
    return salt


def _feed(profile: str, import_sign: str) -> Feed:
    profiles: dict[str, Literal["wide", "edge"]] = {"wide": "wide", "edge": "edge"}
    signs: dict[str, Literal["canonical", "magnitude"]] = {
        "canonical": "canonical",
        "magnitude": "magnitude",
    }
    if profile not in profiles or import_sign not in signs:
        raise ConfigError("--profile is wide or edge, --import-sign canonical or magnitude")
    return Feed(profiles[profile], signs[import_sign])


def _named(path: Path | None, what: str) -> Path:
    if path is None:
        raise ConfigError(what)
    return path


def _say_verdict(record: Record, verdict: Verdict, *, as_json: bool) -> None:
    number, computed = record.state.number, verdict.computed.result
    ballots = [event for event in record.events if isinstance(event, BallotCast)]
    counted = tally.count(record.context, record.electorate, ballots, computed)
    if as_json:
        output.print_json(
            {
                "round": number,
                "phase": phase_name(record.state.phase),
                "equal": verdict.is_equal,
                "computed_root": hexed(computed.root),
                "computed_partitions": computed.partitions,
                "final_root": hexed(record.state.root) if record.state.root else None,
                "final_partitions": record.state.partitions,
                "matched": [hexed(member.operator) for member in counted.matched],
                "sites": {
                    "assigned": sum(
                        p.site_count for p in verdict.computed.partitions if p.aggregator_id
                    ),
                    "unassigned_nmis": verdict.computed.unassigned_nmis,
                },
            }
        )
    else:
        voters = f"{len(counted.matched)} of {record.state.member_count} members voted for it"
        output.say(f"these inputs give {hexed(computed.root)}; {voters}")
    if verdict.is_equal:
        if not as_json:
            output.say(f"round {number}: equal to the chain's final root", "bold green")
        return
    if record.state.phase is not Phase.FINAL:
        raise EvidenceError(
            f"round {number} has no final root on chain ({phase_name(record.state.phase)})"
        )
    raise EvidenceError(
        f"round {number}: expected the chain's {hexed(record.state.root)}, "
        f"these inputs give {hexed(computed.root)}"
    )


@contextmanager
def _progress() -> Iterator[Told]:
    """A progress bar on stderr, where that is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        tasks: dict[str, Any] = {}

        def told(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total)
            bar.update(tasks[stage], completed=done, total=total)

        yield told
