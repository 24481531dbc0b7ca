"""``oepnode aggregator``: key, fetching, verifying, and proofs of single sites.

The only place where NMIs are printed, to the aggregator that holds them. Source: design section 6,
``docs/aggregators.md``.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from msgspec import Struct

from oepnode.adapters import http_bundles, pymerkle_check, sealing
from oepnode.cli import chain, keypair, output
from oepnode.cli.chain import (
    ChainIdOption,
    ContractOption,
    FinalRound,
    OwnRoundOption,
    RoundOption,
    RoundStateOption,
    RpcOption,
)
from oepnode.cli.exits import printable
from oepnode.cli.keypair import KeyPair
from oepnode.cli.output import FormatOption, JsonFlag, LimitsFile, hexed
from oepnode.domain import bundle, merkle, site_proof
from oepnode.domain import nmi as nmis
from oepnode.domain.bundle import BundleError, VerifiedBundle
from oepnode.domain.facts import Round
from oepnode.domain.keys import RoundContext
from oepnode.domain.nem_time import INTERVAL_S, format_nem
from oepnode.errors import ConfigError, ConflictError, EvidenceError, TransportError
from oepnode.ports import ChainReader

app = typer.Typer(
    no_args_is_help=True,
    help="Get your part of a round, and check it against the chain without trusting who served it.",
)

KeyOption = Annotated[Path, typer.Option("--key", help="Your key file, made by keygen.")]
TimeoutOption = Annotated[
    float, typer.Option("--timeout", min=0.1, help="Seconds that one worker has to answer.")
]

CHECKS: Final = bundle.CHECKS | {
    "pymerkle": "pymerkle, a library by other authors, accepts the path as well",
    "portfolio": "every NMI is on your list",
}
_FILE_SIZE: Final = bundle.MAX_SIZE + 256


class Attempt(Struct, frozen=True):
    """What came of asking one worker."""

    operator: str
    url: str
    outcome: str


# --- keygen --------------------------------------------------------------------------------------


@app.command()
def keygen(
    identity: Annotated[str, typer.Option("--id", help="Your aggregator id in the NMI registry.")],
    out: Annotated[Path, typer.Option("--out", help="New file for the key; never overwritten.")],
    as_json: JsonFlag = False,
) -> None:
    """Make the key pair that your bundles are sealed to.

    Give the public key to the NMI registry. Keep the file: without it no bundle opens.
    """
    pair = keypair.create(out, identity)
    if as_json:
        output.print_json(
            {"aggregator": identity, "public_key": pair.public_key.hex(), "file": str(out)}
        )
    else:
        output.say(pair.public_key.hex())
        output.say(f"private key in {out}, for your eyes only", "dim", err=True)


# --- fetch ---------------------------------------------------------------------------------------


@app.command()
def fetch(
    key: KeyOption,
    out: Annotated[
        Path | None, typer.Option("--out", help="File for the bundle; default round-N.oepb.")
    ] = None,
    number: RoundOption = None,
    rpc: RpcOption = None,
    contract: ContractOption = None,
    chain_id: ChainIdOption = None,
    timeout_s: TimeoutOption = http_bundles.TIMEOUT_S,
    as_json: JsonFlag = False,
) -> None:
    """Ask the workers listed on chain, in turn, until one serves a bundle that verifies."""
    asyncio.run(
        _fetch(
            keypair.load_aggregator(key), out, number, (rpc, contract, chain_id), timeout_s, as_json
        )
    )


async def _fetch(
    pair: KeyPair,
    out: Path | None,
    number: int | None,
    where: tuple[str | None, str | None, int | None],
    timeout_s: float,
    as_json: bool,
) -> None:
    async with chain.open_reader(*where) as reader:
        final, state = await chain.final_round(reader, number)
        attempts: list[Attempt] = []
        sealed, verified = await _ask_workers(reader, state, final, pair, timeout_s, attempts)
    target = out or Path(f"round-{state.number}.oepb")
    output.write_file(target, bundle.pack_file(final.context, sealed))
    for text in final.notes:
        output.note(text)
    served = attempts[-1]
    if as_json:
        output.print_json(
            {
                "round": state.number,
                "file": str(target),
                "worker": served.operator,
                "url": served.url,
                "sites": verified.site_count,
                "asked": [
                    {"operator": a.operator, "url": a.url, "outcome": a.outcome} for a in attempts
                ],
            }
        )
        return
    for attempt in attempts[:-1]:
        output.note(f"worker {attempt.operator} at {attempt.url or '(no URL)'}: {attempt.outcome}")
    output.say(
        f"round {state.number}: bundle with {verified.site_count} sites from worker "
        f"{served.operator} at {served.url}, verified, in {target}",
        "green",
    )


async def _ask_workers(
    reader: ChainReader,
    state: Round,
    final: FinalRound,
    pair: KeyPair,
    timeout_s: float,
    attempts: list[Attempt],
) -> tuple[bytes, VerifiedBundle]:
    """The first bundle that opens and verifies; ``attempts`` ends with the worker that had it.

    Raises:
        EvidenceError: If workers served bundles, but none that verifies.
        ConflictError: If every worker that answered has no bundle for this key.
        TransportError: If no worker answered.
    """
    electorate = await reader.electorate(state.epoch)
    matched = electorate.by_index(state.matched)
    others = [member for member in electorate.members if member not in matched]
    name = bundle.bundle_name(final.context, pair.public_key)
    failures: list[Exception] = []
    for member in (*matched, *others):  # who computed the final root can serve its parts
        url = await reader.endpoint(member.operator)
        operator = hexed(member.operator)
        try:
            if not url:
                raise TransportError("no URL on chain")  # noqa: TRY301 - one way to note a failure
            sealed = await http_bundles.fetch(url, state.number, name, timeout_s)
            verified = _open_and_verify(sealed, pair, final)
        except (EvidenceError, ConflictError, TransportError) as exc:
            failures.append(exc)
            attempts.append(Attempt(operator, printable(url), printable(str(exc))))
            continue
        attempts.append(Attempt(operator, printable(url), "served a bundle that verifies"))
        return sealed, verified
    raise _nobody(state.number, failures, attempts)


def _nobody(number: int, failures: list[Exception], attempts: list[Attempt]) -> Exception:
    details = "; ".join(f"{a.operator}: {a.outcome}" for a in attempts)
    if any(isinstance(failure, EvidenceError) for failure in failures):
        return EvidenceError(f"round {number}: no worker served a bundle that verifies: {details}")
    if any(isinstance(failure, ConflictError) for failure in failures):
        return ConflictError(
            f"round {number}: no worker has a bundle for this key. Either none of your sites is in "
            f"the round, or the registry has another public key of yours: {details}"
        )
    return TransportError(f"round {number}: no worker answered: {details}")


# --- verify --------------------------------------------------------------------------------------


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(metavar="BUNDLE", help="File from fetch.")],
    key: KeyOption,
    number: OwnRoundOption = None,
    rpc: RpcOption = None,
    contract: ContractOption = None,
    chain_id: ChainIdOption = None,
    round_state: RoundStateOption = None,
    portfolio: Annotated[
        Path | None,
        typer.Option(
            "--portfolio",
            help="File with all your NMIs, one a line: an NMI of the bundle that is not on it "
            "fails the verification, missing ones are reported.",
        ),
    ] = None,
    format_: FormatOption = None,
    out: LimitsFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Check a bundle against the chain, and say which check failed if one does.

    Works offline but for one reading of the round. With --format it also writes the limits.
    """
    output.check_destination(format_, out, as_json=as_json)
    pair = keypair.load_aggregator(key)
    held = None if portfolio is None else read_portfolio(portfolio)
    context, sealed = _read_bundle(file)
    final = _final(context, number, round_state, (rpc, contract, chain_id))
    checks = {
        name: text for name, text in CHECKS.items() if name != "portfolio" or held is not None
    }
    is_quiet = as_json or (format_ is not None and out is None)
    try:
        verified = _checked(context, sealed, pair, final, held)
    except BundleError as exc:
        _print_failure(exc, final, checks, as_json=as_json)
        raise
    missing = len(held.difference(verified.nmis)) if held is not None else 0
    notes = [*final.notes]
    if missing:
        notes.append(f"{missing} NMIs of your list are not in the bundle")
    for text in notes:
        output.note(text)
    if as_json:
        output.print_json(_summary(verified, final, notes) | {"checks": list(checks)})
    else:
        _print_summary(verified, final, checks, err=is_quiet)
    if format_ is not None:
        frame = output.limits_frame(
            verified.nmis, verified.levels, verified.limits, verified.horizon_start
        )
        output.write_frame(frame, format_, out)


def open_verified(
    file: Path,
    key: Path,
    number: int | None,
    round_state: Path | None,
    where: tuple[str | None, str | None, int | None],
) -> tuple[VerifiedBundle, FinalRound]:
    """Open a bundle's file and check it against its round, for commands that use its limits.

    Raises:
        BundleError: With the name of the check that failed.
        ConfigError: If a file or the chain is not named as it must be.
    """
    pair = keypair.load_aggregator(key)
    context, sealed = _read_bundle(file)
    final = _final(context, number, round_state, where)
    return _checked(context, sealed, pair, final, None), final


def _checked(
    context: RoundContext | None,
    sealed: bytes,
    pair: KeyPair,
    final: FinalRound,
    held: set[str] | None,
) -> VerifiedBundle:
    if context is not None and context != final.context:
        raise BundleError(
            "context",
            f"the bundle is of round {context.number}, chain {context.chain_id}, contract "
            f"{hexed(context.contract)}; asked for round {final.context.number}, chain "
            f"{final.context.chain_id}, contract {hexed(final.context.contract)}",
        )
    verified = _open_and_verify(sealed, pair, final)
    foreign = bundle.foreign_nmis(verified, held) if held is not None else []
    if foreign:
        raise BundleError("portfolio", f"{len(foreign)} NMIs of the bundle are not on your list")
    return verified


def _open_and_verify(sealed: bytes, pair: KeyPair, final: FinalRound) -> VerifiedBundle:
    """Open a bundle, and check it with our verifier and with pymerkle.

    Raises:
        BundleError: With the name of the check that failed.
    """
    try:
        info = bundle.sealing_info(final.context)
        plaintext = sealing.open_sealed(pair.private_key, sealed, info)
    except EvidenceError as exc:
        raise BundleError("opening", str(exc)) from exc
    verified = bundle.verify(
        plaintext, pair.aggregator_id, final.context, final.root, final.partitions
    )
    leaf = merkle.leaf_hash(verified.partition_entry)
    try:
        pymerkle_check.verify_inclusion(
            leaf, verified.index, final.partitions, verified.path, final.root
        )
    except merkle.InclusionError as exc:
        raise BundleError("pymerkle", str(exc)) from exc
    return verified


def _final(
    context: RoundContext | None,
    number: int | None,
    round_state: Path | None,
    where: tuple[str | None, str | None, int | None],
) -> FinalRound:
    """The final result of the round that the bundle says it is of, or that the user names."""
    if round_state is not None:
        return chain.read_state(round_state)
    if number is None and context is not None:
        number = context.number
    if number is None:
        raise ConfigError("the file does not say which round it is of: name it with --round")
    return asyncio.run(_read_final(number, where))


async def _read_final(number: int, where: tuple[str | None, str | None, int | None]) -> FinalRound:
    async with chain.open_reader(*where) as reader:
        final, _ = await chain.final_round(reader, number)
        return final


def _read_bundle(file: Path) -> tuple[RoundContext | None, bytes]:
    """A file from fetch, or the bare bytes as a worker serves them."""
    data = output.read_file(file, "bundle", _FILE_SIZE)
    return bundle.unpack_file(data) or (None, data)


def read_portfolio(file: Path) -> set[str]:
    """The NMIs of a file, one a line, with or without their checksum.

    Raises:
        ConfigError: With the line that is none.
    """
    data = output.read_file(file, "list of NMIs", 1 << 28)
    try:
        lines = data.decode("utf-8").splitlines()
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{file}: not text in UTF-8") from exc
    held: set[str] = set()
    for place, line in enumerate(lines, start=1):
        try:
            if line.strip():
                held.add(nmis.parse(line.strip()))
        except nmis.NmiError as exc:
            raise ConfigError(f"{file}, line {place}: {exc}") from exc
    return held


def _summary(verified: VerifiedBundle, final: FinalRound, notes: list[str]) -> dict[str, Any]:
    end = verified.horizon_start + verified.interval_count * INTERVAL_S
    return {
        "verified": True,
        "round": final.context.number,
        "chain_id": final.context.chain_id,
        "contract": hexed(final.context.contract),
        "root": hexed(final.root),
        "aggregator": verified.aggregator_id,
        "sites": verified.site_count,
        "nmis": verified.nmi_count,
        "horizon_start": format_nem(verified.horizon_start),
        "horizon_end": format_nem(end),
        "intervals": verified.interval_count,
        "notes": notes,
    }


def _print_summary(
    verified: VerifiedBundle, final: FinalRound, checks: dict[str, str], *, err: bool
) -> None:
    summary = _summary(verified, final, [])
    output.print_checks(checks, err=err)
    output.say(
        f"verified: round {final.context.number}, aggregator {verified.aggregator_id}, "
        f"{summary['sites']} sites ({summary['nmis']} NMIs), {summary['intervals']} intervals "
        f"from {summary['horizon_start']} to {summary['horizon_end']}",
        "bold green",
        err=err,
    )
    output.say(f"root {hexed(final.root)} from {final.source}", "dim", err=err)


def _print_failure(
    error: BundleError, final: FinalRound, checks: dict[str, str], *, as_json: bool
) -> None:
    for text in final.notes:
        output.note(text)
    if as_json:
        output.print_json(
            {
                "verified": False,
                "round": final.context.number,
                "failed": error.check,
                "message": str(error),
            }
        )
    else:
        output.print_checks(checks, error.check)


# --- site proofs ---------------------------------------------------------------------------------


@app.command("site-proof")
def site_proof_(
    nmi: Annotated[str, typer.Argument(help="The NMI, with or without its checksum.")],
    file: Annotated[Path, typer.Option("--bundle", help="File from fetch.")],
    key: KeyOption,
    out: Annotated[Path | None, typer.Option("--out", help="File for the proof.")] = None,
    number: OwnRoundOption = None,
    rpc: RpcOption = None,
    contract: ContractOption = None,
    chain_id: ChainIdOption = None,
    round_state: RoundStateOption = None,
    disclose_key: Annotated[
        bool,
        typer.Option(
            "--disclose-key",
            help="Put your key of this round into the proof, so that it also proves which NMI the "
            "site is. Its reader can then test guesses at your other sites.",
        ),
    ] = False,
) -> None:
    """Cut out the proof of one site, for a third party to check with 'oepnode verify-site'.

    It shows this site's limits and no other site. By default your word alone says which NMI the
    site is.
    """
    wanted = nmis.parse(nmi)
    pair = keypair.load_aggregator(key)
    context, sealed = _read_bundle(file)
    final = _final(context, number, round_state, (rpc, contract, chain_id))
    proof = site_proof.cut(
        _checked(context, sealed, pair, final, None), wanted, disclose_key=disclose_key
    )
    for text in final.notes:
        output.note(text)
    data = site_proof.write(proof)
    if out is None:
        typer.echo(data.decode(), nl=False)
        return
    output.write_file(out, data)
    proven = "with your key of the round" if disclose_key else "without your key"
    output.say(f"proof of one site in round {final.context.number}, {proven}, in {out}", "green")
