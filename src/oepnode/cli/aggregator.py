"""``oepnode aggregator``: key, fetching, verifying, and proofs of single sites.

The only commands of a round that print NMIs: to the aggregator that holds them. Source:
``docs/aggregators.md``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from oepnode.cli.common import output
from oepnode.cli.common.certificate import (
    CertificateOption,
    OperatorOption,
    OperatorsOption,
    QuorumOption,
    certified,
)
from oepnode.cli.common.chain import (
    ChainIdOption,
    ConfirmationsOption,
    ContractOption,
    MaxAgeOption,
    OwnRoundOption,
    RoundOption,
    RoundStateOption,
    RpcOption,
)
from oepnode.cli.common.keys import HYBRID, KeyKindOption
from oepnode.cli.common.output import FormatOption, JsonFlag, LimitsFile
from oepnode.cli.in_force import in_force
from oepnode.cli.verify_site import verify_site
from oepnode.client.bundles import (
    BundleCheck,
    FailedCheck,
    bundle_limits,
    check_bundle,
    check_partition,
)
from oepnode.client.chain import ChainTarget, hexed
from oepnode.client.edge.tables import load_portfolio
from oepnode.client.fetching import Attempt, FetchPolicy, fetch_bundle
from oepnode.client.files import write_file
from oepnode.client.keys import create_key_pair
from oepnode.client.limit_files import LIMIT_FORMATS, write_bundle_limits
from oepnode.client.proofs import cut_all_site_proofs, cut_site_proof
from oepnode.client.rounds import RoundSelector
from oepnode.client.tokens import get_token_list
from oepnode.errors import ConfigError

app = typer.Typer(
    no_args_is_help=True,
    help="Get your part of a round, and check it against the chain without trusting its server.",
)

DEFAULT = FetchPolicy()

KeyOption = Annotated[Path, typer.Option("--key", help="Your key file, made by keygen.")]
TokensOption = Annotated[
    str | None,
    typer.Option(
        "--tokens",
        help="Your token list, for a blind round: a file from 'aggregator tokens', or the NMI "
        "registry's URL.",
    ),
]
TimeoutOption = Annotated[
    float, typer.Option("--timeout", min=0.1, help="Deadline of all tries together, in seconds.")
]
HedgeOption = Annotated[
    float,
    typer.Option(
        "--hedge",
        min=0.1,
        help="Seconds after which the next worker is queried too, while one is still responding.",
    ),
]
WorkerOption = Annotated[
    list[str] | None,
    typer.Option(
        "--worker",
        metavar="URL|OPERATOR",
        help="Query this worker instead of all members of the round; repeatable, in this order.",
    ),
]
SkipOption = Annotated[
    list[str] | None,
    typer.Option(
        "--skip", metavar="URL|OPERATOR", help="Leave this worker out; may be given several times."
    ),
]
MaxBytesOption = Annotated[
    int, typer.Option("--max-bytes", min=1, help="Largest bundle accepted, in bytes.")
]
AllowPrivateOption = Annotated[
    bool,
    typer.Option(
        "--allow-private",
        help="Also query workers at loopback and private addresses, as on a test network.",
    ),
]


@app.command()
def keygen(
    aggregator: Annotated[
        str, typer.Option("--aggregator", help="Your aggregator id in the NMI registry.")
    ],
    out: Annotated[Path, typer.Option("--out", help="New file for the key; never overwritten.")],
    kind: KeyKindOption = HYBRID,
    as_json: JsonFlag = False,
) -> None:
    """Make the key pair that your bundles are sealed to.

    Give the public key to the NMI registry. Keep the file: without it no bundle opens.
    """
    public_key = create_key_pair(out, aggregator, kind).public_key.hex()
    if as_json:
        output.print_json(
            {
                "aggregator": aggregator,
                "kind": kind.value,
                "public_key": public_key,
                "file": str(out),
            }
        )
    else:
        typer.echo(public_key)  # on one line, whatever the width
        output.say(f"private key in {out}, readable by you only", "dim", err=True)


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
    confirmations: ConfirmationsOption = None,
    max_age: MaxAgeOption = None,
    portfolio: Annotated[
        Path | None,
        typer.Option(
            "--portfolio",
            help="File with all your NMIs, one per line: it bounds the bundle's size, in place of "
            "--max-bytes.",
        ),
    ] = None,
    tokens: TokensOption = None,
    worker: WorkerOption = None,
    skip: SkipOption = None,
    timeout_s: TimeoutOption = DEFAULT.timeout_s,
    hedge_s: HedgeOption = DEFAULT.hedge_s,
    max_bytes: MaxBytesOption = DEFAULT.max_bytes,
    allow_private: AllowPrivateOption = False,
    as_json: JsonFlag = False,
) -> None:
    """Query the round's workers, in random order, until one serves a bundle that verifies."""
    policy = FetchPolicy(
        timeout_s=timeout_s,
        hedge_s=hedge_s,
        max_bytes=max_bytes,
        allow_private=allow_private,
        workers=tuple(worker or ()),
        skip=tuple(skip or ()),
    )
    held = None if portfolio is None else load_portfolio(portfolio)
    target = ChainTarget(rpc, contract, chain_id, confirmations=confirmations, max_age_s=max_age)
    bundle = fetch_bundle(key, target, number, out, policy, held, tokens)
    output.print_notes(bundle.notes)
    if as_json:
        output.print_json(bundle)
        return
    for attempt in bundle.attempts[:-1]:
        output.note(f"{_named(attempt)}: {attempt.outcome}")
    output.say(
        f"round {bundle.round}: bundle with {bundle.sites} sites from "
        f"{_named(bundle.attempts[-1])}, verified, in {bundle.file}",
        "green",
    )


def _named(attempt: Attempt) -> str:
    """The worker of an attempt: operator and URL, or what is known of both."""
    url = attempt.url or "(no URL)"
    return f"worker {attempt.operator} at {url}" if attempt.operator else f"the worker at {url}"


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(metavar="BUNDLE", help="File from fetch.")],
    key: KeyOption,
    number: OwnRoundOption = None,
    rpc: RpcOption = None,
    contract: ContractOption = None,
    chain_id: ChainIdOption = None,
    confirmations: ConfirmationsOption = None,
    max_age: MaxAgeOption = None,
    round_state: RoundStateOption = None,
    certificate: CertificateOption = None,
    operators: OperatorOption = None,
    operators_file: OperatorsOption = None,
    quorum: QuorumOption = None,
    portfolio: Annotated[
        Path | None,
        typer.Option(
            "--portfolio",
            help="File with all your NMIs, one per line: an NMI of the bundle that is not in it "
            "fails the verification, missing ones are reported.",
        ),
    ] = None,
    tokens: TokensOption = None,
    max_bytes: MaxBytesOption = DEFAULT.max_bytes,
    format_: FormatOption = None,
    out: LimitsFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Check a bundle against the chain, and name the check that fails, if one does.

    Works offline except for one reading of the round, and with --certificate wholly offline. With
    --format it also writes the limits.
    """
    output.check_destination(format_, out, as_json=as_json)
    held = None if portfolio is None else load_portfolio(portfolio)
    chain = ChainTarget(rpc, contract, chain_id, confirmations=confirmations, max_age_s=max_age)
    proof = certified(
        certificate, round_state, operators, operators_file, quorum, contract, chain_id
    )
    selector = RoundSelector(chain, round_state, number, proof)
    if format_ is None:  # no limits are written, so none are kept
        part = check_partition(file, key, selector, held, tokens, max_bytes)
        _print_result(part, as_json=as_json, err=False)
        return
    if out is not None and format_.value in LIMIT_FORMATS and file.is_file():
        part = check_partition(file, key, selector, held, tokens, max_bytes)
        _print_result(part, as_json=as_json, err=False)
        write_bundle_limits(part, file, key, out, format_.value, max_bytes)
        return
    check = check_bundle(file, key, selector, held, tokens, max_bytes)
    _print_result(check, as_json=as_json, err=out is None)
    output.write_frame(bundle_limits(check.verified, check.tokens), format_, out)


def _print_result(check: BundleCheck[Any], *, as_json: bool, err: bool) -> None:
    """Print the result of a check, and raise the failure of one that failed."""
    output.print_notes(check.notes)
    if as_json:
        output.print_json(check.report())
    else:
        _print_check(check, err=err)
    if check.failure is not None:
        raise check.failure


def _print_check(check: BundleCheck[Any], *, err: bool) -> None:
    report = check.report()
    if isinstance(report, FailedCheck):
        output.print_checks(check.checks, report.failed)
        return
    output.print_checks(check.checks, err=err)
    output.say(
        f"verified: round {report.round}, aggregator {report.aggregator}, "
        f"{report.sites} sites ({report.nmis} NMIs), {report.intervals} intervals "
        f"from {report.horizon_start} to {report.horizon_end}",
        "bold green",
        err=err,
    )
    output.say(f"root {hexed(check.final.root)} from {check.final.source}", "dim", err=err)


@app.command("site-proof")
def site_proof(
    file: Annotated[Path, typer.Option("--bundle", help="File from fetch.")],
    key: KeyOption,
    nmi: Annotated[
        str | None, typer.Argument(help="The NMI, with or without its checksum.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="File for the proof.")] = None,
    cut_all: Annotated[
        bool,
        typer.Option("--all", help="Write the proofs of all sites to --out, one a line."),
    ] = False,
    number: OwnRoundOption = None,
    rpc: RpcOption = None,
    contract: ContractOption = None,
    chain_id: ChainIdOption = None,
    round_state: RoundStateOption = None,
    tokens: TokensOption = None,
    max_bytes: MaxBytesOption = DEFAULT.max_bytes,
    disclose_key: Annotated[
        bool,
        typer.Option(
            "--disclose-key",
            help="Put this site's key of the round into the proof, so that it also proves the "
            "site's NMI. The key reveals nothing about your other sites, or about other rounds.",
        ),
    ] = False,
) -> None:
    """Cut out the proof of one site, for a third party to check with 'aggregator verify-site'.

    It shows this site's limits and no other site. By default the site's NMI is only your claim.
    With --all each line of the file is the proof of one site, which 'aggregator verify-site' takes
    as a file of its own; --max-bytes bounds the bundle.
    """
    selector = RoundSelector(ChainTarget(rpc, contract, chain_id), round_state, number)
    if cut_all:
        if nmi is not None or out is None:
            raise ConfigError("--all needs --out, and no NMI")
        proofs = cut_all_site_proofs(
            file, key, selector, out, disclose_key=disclose_key, max_bytes=max_bytes
        )
        output.print_notes(proofs.final.notes)
        number = proofs.final.context.number
        output.say(f"proofs of {proofs.proofs} sites in round {number}, in {out}", "green")
        return
    if nmi is None:
        raise ConfigError("name an NMI, or all sites by --all")
    proof = cut_site_proof(
        nmi,
        file,
        key,
        selector,
        disclose_key=disclose_key,
        tokens=tokens,
        max_bytes=max_bytes,
    )
    output.print_notes(proof.final.notes)
    if out is None:
        typer.echo(proof.data.decode(), nl=False)
        return
    write_file(out, proof.data)
    proven = "with the site's key of the round" if disclose_key else "without the site's key"
    number = proof.final.context.number
    output.say(f"proof of one site in round {number}, {proven}, in {out}", "green")


@app.command("tokens")
def get_tokens(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="URL of the NMI registry, or a sealed list that it handed over."
        ),
    ],
    key: KeyOption,
    out: Annotated[Path, typer.Option("--out", help="New file for the list.")],
    snapshot: Annotated[
        str | None, typer.Option("--snapshot", help="SHA-256 of the blinded registry snapshot.")
    ] = None,
    number: Annotated[
        int | None, typer.Option("--round", min=1, help="Or a round of that snapshot.")
    ] = None,
    rpc: RpcOption = None,
    contract: ContractOption = None,
    chain_id: ChainIdOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Open your token list: your NMIs with the tokens that stand for them in blind rounds.

    Give the file to 'aggregator verify --tokens' and to the commands that read your bundle.
    """
    selector = RoundSelector(ChainTarget(rpc, contract, chain_id), None, number)
    received = get_token_list(source, key, out, snapshot, selector)
    if as_json:
        output.print_json(received)
        return
    output.say(f"{received.nmis} NMIs with their tokens in {received.file}", "green")


app.command("in-force")(in_force)
app.command("verify-site")(verify_site)
