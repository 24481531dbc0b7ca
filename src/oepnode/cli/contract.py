"""``oepnode contract``: deploy the consensus contract, check it, and manage it.

Leaves out voting, which is the worker's, and signed ballots (``oepnode relay``). Source:
``docs/contract.md``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import asdict

from oepnode.cli.common import output
from oepnode.cli.common.chain import Contract, Key, Rpc, StartBlockOption
from oepnode.cli.common.output import JsonFlag
from oepnode.client.chain import ChainTarget
from oepnode.client.operation import contract as contracts
from oepnode.errors import ConfigError

app = typer.Typer(
    help="Deploy the contract, check it, and manage its electorate.", no_args_is_help=True
)

Operator = Annotated[str, typer.Option("--operator", help="The worker's lasting address.")]
RoleName = Annotated[str, typer.Option("--role", help="requester, guardian or admin.")]


# --- deploying and reading -----------------------------------------------------------------------


@app.command()
def deploy(
    rpc: Rpc,
    key_file: Annotated[
        Path | None, typer.Option("--key-file", help="Key of the account that signs.")
    ] = None,
    admin: Annotated[
        str | None, typer.Option(help="Administrator's address; by default the signing account.")
    ] = None,
    vote_window: Annotated[int, typer.Option(help="Seconds to vote.", min=1)] = 600,
    reveal_window: Annotated[int, typer.Option(help="Seconds to reveal.", min=1)] = 600,
    quorum: Annotated[str, typer.Option(help="Share of the members, such as 2/3.")] = "2/3",
    verify_only: Annotated[
        bool,
        typer.Option("--verify-only", help="Deploy nothing; check the code at --contract."),
    ] = False,
    contract: Annotated[
        str | None,
        typer.Option(
            "--contract", envvar="OEPNODE_CONTRACT", help="Address to check with --verify-only."
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Deploy a new contract, check its code, and print its address.

    With --verify-only it compares the code at --contract with the one that this release ships,
    byte for byte, and exits 1 where they differ.
    """
    if verify_only:
        if contract is None:
            raise ConfigError("--verify-only needs --contract, the address to check")
        output.print_report(contracts.check_contract_code(ChainTarget(rpc, contract)), as_json)
        return
    if key_file is None:
        raise ConfigError("deploying needs --key-file, the key of the account that signs")
    deployed = contracts.deploy_contract(
        ChainTarget(rpc),
        key_file,
        admin,
        quorum=quorum,
        vote_window_s=vote_window,
        reveal_window_s=reveal_window,
    )
    output.print_report(deployed, as_json)


@app.command("deploy-inclusion")
def deploy_inclusion(rpc: Rpc, key_file: Key, as_json: JsonFlag = False) -> None:
    """Deploy the contract that verifies inclusion on chain, and check its code.

    Only contracts that act on a limit need it: workers, aggregators and auditors do without. It
    stores nothing, and one of them serves every consensus contract of a chain.
    """
    output.print_report(contracts.deploy_inclusion(ChainTarget(rpc), key_file), as_json)


@app.command()
def abi() -> None:
    """Print the contract's ABI as JSON, for wallets that make their calls themselves.

    A multi-signature wallet that holds a role has no key file: give it this and the address.
    """
    output.print_json(contracts.contract_abi())


@app.command()
def status(rpc: Rpc, contract: Contract, as_json: JsonFlag = False) -> None:
    """Show the electorate and the terms of a round that would be opened now."""
    report = contracts.contract_status(ChainTarget(rpc, contract))
    if as_json:
        output.print_json(report)
        return
    terms = asdict(report)
    members = terms.pop("electorate")
    output.print_facts({name.replace("_", " "): value for name, value in terms.items()})
    columns = ("index", "operator", "signer", "endpoint")
    output.print_table(columns, [[getattr(member, name) for name in columns] for member in members])


@app.command()
def roles(
    rpc: Rpc,
    contract: Contract,
    start_block: StartBlockOption = 0,
    as_json: JsonFlag = False,
) -> None:
    """Show the accounts that hold each role."""
    names = contracts.role_holders(ChainTarget(rpc, contract, start_block=start_block))
    if as_json:
        output.print_json(names)
        return
    rows = [(name, account) for name, accounts in names.items() for account in accounts or ["–"]]
    output.print_table(("role", "account"), rows)


# --- the electorate and its terms ----------------------------------------------------------------


@app.command("add-worker")
def add_worker(
    rpc: Rpc,
    contract: Contract,
    key_file: Key,
    operator: Operator,
    signer: Annotated[str, typer.Option(help="The address that votes.")],
    url: Annotated[str, typer.Option(help="URL at which it serves bundles.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Add a worker to the electorate of rounds opened from now on."""
    chain = ChainTarget(rpc, contract)
    output.print_report(contracts.add_worker(chain, key_file, operator, signer, url), as_json)


@app.command("remove-worker")
def remove_worker(
    rpc: Rpc, contract: Contract, key_file: Key, operator: Operator, as_json: JsonFlag = False
) -> None:
    """Remove a worker from the electorate of rounds opened from now on."""
    chain = ChainTarget(rpc, contract)
    output.print_report(contracts.remove_worker(chain, key_file, operator), as_json)


@app.command("rotate-signer")
def rotate_signer(
    rpc: Rpc,
    contract: Contract,
    key_file: Key,
    signer: Annotated[str, typer.Option(help="The new address that votes.")],
    as_json: JsonFlag = False,
) -> None:
    """Change the signer of the operator whose key signs; for rounds opened from now on."""
    chain = ChainTarget(rpc, contract)
    output.print_report(contracts.rotate_signer(chain, key_file, signer), as_json)


@app.command("set-endpoint")
def set_endpoint(
    rpc: Rpc,
    contract: Contract,
    key_file: Key,
    url: Annotated[str, typer.Option(help="URL at which the worker serves bundles.")],
    as_json: JsonFlag = False,
) -> None:
    """Publish the URL of the worker of the operator whose key signs."""
    chain = ChainTarget(rpc, contract)
    output.print_report(contracts.set_endpoint(chain, key_file, url), as_json)


@app.command("set-policy")
def set_policy(
    rpc: Rpc,
    contract: Contract,
    key_file: Key,
    quorum: Annotated[
        str | None, typer.Option(help="Share of the members, such as 2/3.", show_default=False)
    ] = None,
    vote_window: Annotated[int | None, typer.Option(help="Seconds to vote.", min=1)] = None,
    reveal_window: Annotated[int | None, typer.Option(help="Seconds to reveal.", min=1)] = None,
    rules_version: Annotated[
        int | None, typer.Option(help="Version of the rules in docs/spec.", min=1)
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Change quorum, windows or rules of rounds opened from now on; the rest stays as it is."""
    done = contracts.set_policy(
        ChainTarget(rpc, contract),
        key_file,
        quorum=quorum,
        vote_window_s=vote_window,
        reveal_window_s=reveal_window,
        rules_version=rules_version,
    )
    output.print_report(done, as_json)


@app.command("cancel-round")
def cancel_round(
    rpc: Rpc,
    contract: Contract,
    key_file: Key,
    number: Annotated[int, typer.Option("--round", min=1, help="The round.")],
    reason: Annotated[str, typer.Option(help="Reason for the record; up to 200 bytes.")],
    as_json: JsonFlag = False,
) -> None:
    """Cancel a round while it is voting (requester)."""
    chain = ChainTarget(rpc, contract)
    output.print_report(contracts.cancel_round(chain, key_file, number, reason), as_json)


@app.command()
def pause(rpc: Rpc, contract: Contract, key_file: Key, as_json: JsonFlag = False) -> None:
    """Stop opening and voting (guardian). Reveals go on, and no result changes."""
    output.print_report(contracts.pause(ChainTarget(rpc, contract), key_file), as_json)


@app.command()
def unpause(rpc: Rpc, contract: Contract, key_file: Key, as_json: JsonFlag = False) -> None:
    """Resume opening and voting (administrator)."""
    output.print_report(contracts.unpause(ChainTarget(rpc, contract), key_file), as_json)


# --- roles ---------------------------------------------------------------------------------------


@app.command()
def grant(
    rpc: Rpc,
    contract: Contract,
    key_file: Key,
    role: RoleName,
    account: Annotated[str, typer.Option(help="Address that gets the role.")],
    as_json: JsonFlag = False,
) -> None:
    """Give an account a role."""
    chain = ChainTarget(rpc, contract)
    output.print_report(contracts.grant_role(chain, key_file, role, account), as_json)


@app.command()
def revoke(
    rpc: Rpc,
    contract: Contract,
    key_file: Key,
    role: RoleName,
    account: Annotated[str, typer.Option(help="Address that loses the role.")],
    as_json: JsonFlag = False,
) -> None:
    """Take a role from an account."""
    chain = ChainTarget(rpc, contract)
    output.print_report(contracts.revoke_role(chain, key_file, role, account), as_json)


@app.command()
def renounce(
    rpc: Rpc, contract: Contract, key_file: Key, role: RoleName, as_json: JsonFlag = False
) -> None:
    """Give up a role of the account whose key signs."""
    chain = ChainTarget(rpc, contract)
    output.print_report(contracts.renounce_role(chain, key_file, role), as_json)
