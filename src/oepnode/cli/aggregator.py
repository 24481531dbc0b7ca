"""``oepnode aggregator``: key, fetching, verifying, and proofs of single sites.

The only place where NMIs are printed, to the aggregator that holds them. Source: design section 6,
``docs/aggregators.md``.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer
from msgspec import Struct

from oepnode.adapters.http import bundles as http_bundles
from oepnode.cli.common import bundle_input, chain, keypair, output
from oepnode.cli.common.chain import (
    ChainIdOption,
    ChainTarget,
    ContractOption,
    FinalRound,
    OwnRoundOption,
    RoundOption,
    RoundSelector,
    RoundStateOption,
    RpcOption,
)
from oepnode.cli.common.exits import printable
from oepnode.cli.common.keypair import KeyPair
from oepnode.cli.common.output import FormatOption, JsonFlag, LimitsFile, hexed
from oepnode.client.edge.tables import load_portfolio
from oepnode.domain.nem import nmi as nmis
from oepnode.domain.rounds import bundle, site_proof
from oepnode.domain.rounds.bundle import BundleError, VerifiedBundle
from oepnode.domain.rounds.onchain import Round
from oepnode.errors import ConflictError, EvidenceError, TransportError
from oepnode.ports import ChainReader

app = typer.Typer(
    no_args_is_help=True,
    help="Get your part of a round, and check it against the chain without trusting who served it.",
)

KeyOption = Annotated[Path, typer.Option("--key", help="Your key file, made by keygen.")]
TimeoutOption = Annotated[
    float, typer.Option("--timeout", min=0.1, help="Seconds that one worker has to answer.")
]


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
            keypair.load_aggregator(key),
            out,
            number,
            ChainTarget(rpc, contract, chain_id),
            timeout_s,
            as_json,
        )
    )


async def _fetch(
    pair: KeyPair,
    out: Path | None,
    number: int | None,
    where: ChainTarget,
    timeout_s: float,
    as_json: bool,
) -> None:
    async with chain.open_reader(where) as reader:
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
            verified = bundle_input.unseal(sealed, pair, final)
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
    held = None if portfolio is None else set(load_portfolio(portfolio))
    found = bundle_input.read(file)
    choice = RoundSelector(ChainTarget(rpc, contract, chain_id), round_state, number)
    final = choice.final(found.number)
    checks = {
        name: text
        for name, text in bundle_input.CHECKS.items()
        if name != "portfolio" or held is not None
    }
    is_quiet = as_json or (format_ is not None and out is None)
    try:
        verified = bundle_input.verify(found, pair, final, held)
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


def _summary(verified: VerifiedBundle, final: FinalRound, notes: list[str]) -> dict[str, Any]:
    return {
        "verified": True,
        **final.facts(),
        "aggregator": verified.aggregator_id,
        "sites": verified.site_count,
        "nmis": verified.nmi_count,
        **chain.horizon_facts(verified.horizon_start, verified.interval_count),
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
    choice = RoundSelector(ChainTarget(rpc, contract, chain_id), round_state, number)
    verified, final = bundle_input.open_verified(file, key, choice)
    proof = site_proof.cut(verified, wanted, disclose_key=disclose_key)
    for text in final.notes:
        output.note(text)
    data = site_proof.write(proof)
    if out is None:
        typer.echo(data.decode(), nl=False)
        return
    output.write_file(out, data)
    proven = "with your key of the round" if disclose_key else "without your key"
    output.say(f"proof of one site in round {final.context.number}, {proven}, in {out}", "green")
