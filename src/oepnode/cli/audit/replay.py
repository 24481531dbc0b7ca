"""``oepnode audit replay``: a round computed again from its inputs, compared with the chain's root.

Source: ``docs/auditors.md``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from oepnode.cli.common import output
from oepnode.cli.common.chain import (
    ChainIdOption,
    ConfirmationsOption,
    ContractOption,
    MaxAgeOption,
    NumberArgument,
    RpcOption,
    StartBlockOption,
)
from oepnode.cli.common.edge_options import ImportSignOption, ProfileOption, feed_of
from oepnode.cli.common.keys import HYBRID, KeyKindOption
from oepnode.cli.common.output import JsonFlag
from oepnode.client.chain import ChainTarget
from oepnode.client.keys import create_key_pair
from oepnode.client.replays import (
    ArchivedInputs,
    InputFiles,
    InputSource,
    ReplayReport,
    replay_round,
)
from oepnode.errors import ConfigError

_CUSTODY: Final = {
    "matches": "matches these inputs",
    "differs": "differs from that of these inputs",
    "abstained": "none, it abstained",
    "silent": "none, it was silent",
}


def keygen(
    out: Annotated[Path, typer.Option("--out", help="New file for the key; never overwritten.")],
    kind: KeyKindOption = HYBRID,
    as_json: JsonFlag = False,
) -> None:
    """Make the key pair that workers seal a round's inputs to (their setting archive_key)."""
    public_key = create_key_pair(out, kind=kind).public_key.hex()
    if as_json:
        output.print_json({"kind": kind.value, "public_key": public_key, "file": str(out)})
    else:
        typer.echo(public_key)  # on one line, whatever the width


def replay(
    number: NumberArgument,
    archive: Annotated[
        Path | None, typer.Option("--archive", help="Inputs that a worker sealed to your key.")
    ] = None,
    key: Annotated[Path | None, typer.Option("--key", help="Your key file, for --archive.")] = None,
    envelope: Annotated[
        Path | None, typer.Option("--envelope", help="Envelope document, without an archive.")
    ] = None,
    registry: Annotated[
        Path | None, typer.Option("--registry", help="Registry snapshot, without an archive.")
    ] = None,
    salt: Annotated[
        Path | None,
        typer.Option("--salt", help="The snapshot's salt as 64 hex digits, mode 0600."),
    ] = None,
    custody: Annotated[
        bool,
        typer.Option(
            "--custody",
            help="Also check the custody root in the event of every ballot: somebody held the "
            "round's data for this operator before the vote closed.",
        ),
    ] = False,
    profile: ProfileOption = "wide",
    import_sign: ImportSignOption = "canonical",
    rpc: RpcOption = None,
    contract: ContractOption = None,
    chain_id: ChainIdOption = None,
    start_block: StartBlockOption = 0,
    confirmations: ConfirmationsOption = None,
    max_age: MaxAgeOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Compute a round again from its inputs, and compare the result with the chain's root.

    Takes either --archive and --key, or --envelope, --registry and --salt. An archive states its
    own --profile and --import-sign.
    """
    feed = feed_of(profile, import_sign)
    source: InputSource
    if archive is not None and key is not None and not (envelope or registry or salt):
        source = ArchivedInputs(archive, key)
    elif archive is None and envelope is not None and registry is not None and salt is not None:
        source = InputFiles(envelope, registry, salt, feed)
    else:
        raise ConfigError("give either --archive and --key, or --envelope, --registry and --salt")
    chain = ChainTarget(rpc, contract, chain_id, start_block, confirmations, max_age_s=max_age)
    with output.progress_bars() as progress:
        report = replay_round(chain, number, source, progress, custody=custody)
    if as_json:
        output.print_json(report)
    else:
        _print_report(report)
    report.require_equal()
    report.require_custody()


def _print_report(report: ReplayReport) -> None:
    voters = f"{len(report.matched)} of {report.member_count} members voted for it"
    output.say(f"these inputs give {report.computed_root}; {voters}")
    if report.equal:
        output.say(f"round {report.round}: equal to the chain's final root", "bold green")
    for each in report.custody or ():
        output.say(f"custody root of {each.operator}: {_CUSTODY[each.standing]}")
