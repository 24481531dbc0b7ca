"""``oepnode contract``: deploy the consensus contract, check it, and manage it.

Leaves out voting, which is the worker's, but for signed ballots (``oepnode.cli.relay``). Source:
design section 7.
"""

from __future__ import annotations

import asyncio
from dataclasses import astuple, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from oepnode.cli import relay
from oepnode.cli.common import transactions
from oepnode.cli.common.chain import StartBlockOption
from oepnode.cli.common.output import JsonFlag, print_json, print_table
from oepnode.cli.common.transactions import Contract, Key, Rpc, print_named
from oepnode.domain.rounds.onchain import Policy, Role
from oepnode.errors import ConfigError

app = typer.Typer(
    help="Deploy the contract, check it, and manage its electorate.", no_args_is_help=True
)


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
    """Deploy a new contract, check its code, and print where it is.

    With --verify-only it compares the code at --contract with the one that this release ships,
    byte for byte, and exits 1 where they differ.
    """
    from oepnode.adapters.chain import deploy as deployment
    from oepnode.adapters.chain.contract import chain_id_of, checksum_address
    from oepnode.adapters.crypto.keyfile import load_account

    if verify_only:
        if contract is None:
            raise ConfigError("--verify-only needs --contract, the address to check")
        _verify_code(rpc, contract, as_json)
        return
    if key_file is None:
        raise ConfigError("deploying needs --key-file, the key of the account that signs")
    numerator, denominator = _share(quorum)
    account = load_account(key_file)
    policy = Policy(numerator, denominator, vote_window, reveal_window)

    async def go() -> deployment.Deployed:
        chain_id = await chain_id_of(rpc)
        owner = transactions.address(admin or account.address)
        return await deployment.deploy(rpc, chain_id, account, owner, policy)

    done = asyncio.run(go())
    facts = {
        "contract": checksum_address(done.address),
        "block": done.block,
        "transaction": "0x" + done.transaction.hex(),
        "verified": True,
    }
    print_named(facts, as_json)


def _verify_code(rpc: str, contract: str, as_json: bool) -> None:
    from oepnode.adapters.chain import artefact
    from oepnode.adapters.chain import deploy as deployment

    code = asyncio.run(deployment.deployed_code(rpc, transactions.address(contract)))
    deployment.check_code(code)
    facts = {
        "contract": transactions.checksum(contract),
        "verified": True,
        "bytes": len(code),
        "compiler": artefact.consensus()["compiler"],
    }
    print_named(facts, as_json)


@app.command()
def abi() -> None:
    """Print the contract's ABI as JSON, for wallets that make their calls themselves.

    A multi-signature wallet that holds a role has no key file: give it this and the address.
    """
    from oepnode.adapters.chain import artefact

    print_json(artefact.consensus()["abi"])


@app.command()
def status(rpc: Rpc, contract: Contract, as_json: JsonFlag = False) -> None:
    """Show the electorate and terms of rounds opened now."""
    facts, members = asyncio.run(_status(rpc, contract))
    if as_json:
        print_json({**facts, "electorate": members})
        return
    print_named(facts, as_json)
    columns = ("index", "operator", "signer", "endpoint")
    print_table(columns, [[member[name] for name in columns] for member in members])


async def _status(rpc: str, contract: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    from oepnode.adapters.chain.contract import checksum_address

    async with transactions.reading(rpc, contract) as chain:
        electorate = await chain.current_electorate()
        policy = await chain.policy()
        members = [
            {
                "index": member.index,
                "operator": checksum_address(member.operator),
                "signer": checksum_address(member.signer),
                "endpoint": await chain.endpoint(member.operator),
            }
            for member in electorate.members
        ]
        facts = {
            "contract": checksum_address(chain.contract),
            "chain_id": chain.chain_id,
            "paused": await chain.is_paused(),
            "epoch": electorate.epoch,
            "members": len(members),
            "quorum": electorate.quorum,
            "quorum_share": f"{policy.quorum_numerator}/{policy.quorum_denominator}",
            "vote_window_s": electorate.vote_window_s,
            "reveal_window_s": electorate.reveal_window_s,
            "rules_version": electorate.rules_version,
            "rounds": await chain.round_count(),
        }
        return facts, members


@app.command()
def roles(
    rpc: Rpc,
    contract: Contract,
    start_block: StartBlockOption = 0,
    as_json: JsonFlag = False,
) -> None:
    """Show who holds which role."""
    from oepnode.adapters.chain.contract import checksum_address

    async def go() -> dict[Role, list[bytes]]:
        async with transactions.reading(rpc, contract, start_block) as chain:
            return await chain.role_holders()

    holders = asyncio.run(go())
    names: dict[str, list[str]] = {
        role.name.lower(): [checksum_address(account) for account in accounts]
        for role, accounts in holders.items()
    }
    if as_json:
        print_json(names)
        return
    rows = [(name, account) for name, accounts in names.items() for account in accounts or ["–"]]
    print_table(("role", "account"), rows)


@app.command("add-worker")
def add_worker(
    rpc: Rpc,
    contract: Contract,
    key_file: Key,
    operator: Annotated[str, typer.Option(help="The worker's lasting address.")],
    signer: Annotated[str, typer.Option(help="The address that votes.")],
    url: Annotated[str, typer.Option(help="Where it serves bundles.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Add a worker to the electorate of rounds opened from now on."""
    worker = (transactions.checksum(operator), transactions.checksum(signer), url)
    transactions.send(rpc, contract, key_file, as_json, "addWorkers", [worker])


@app.command("remove-worker")
def remove_worker(
    rpc: Rpc,
    contract: Contract,
    key_file: Key,
    operator: Annotated[str, typer.Option(help="The worker's lasting address.")],
    as_json: JsonFlag = False,
) -> None:
    """Remove a worker from the electorate of rounds opened from now on."""
    transactions.send(
        rpc, contract, key_file, as_json, "removeWorker", transactions.checksum(operator)
    )


@app.command("rotate-signer")
def rotate_signer(
    rpc: Rpc,
    contract: Contract,
    key_file: Key,
    signer: Annotated[str, typer.Option(help="The new address that votes.")],
    as_json: JsonFlag = False,
) -> None:
    """Change the signer of the operator whose key signs; for rounds opened from now on."""
    transactions.send(
        rpc, contract, key_file, as_json, "rotateSigner", transactions.checksum(signer)
    )


@app.command("set-endpoint")
def set_endpoint(
    rpc: Rpc,
    contract: Contract,
    key_file: Key,
    url: Annotated[str, typer.Option(help="Where the worker serves bundles.")],
    as_json: JsonFlag = False,
) -> None:
    """Publish where the worker of the operator whose key signs is found."""
    transactions.send(rpc, contract, key_file, as_json, "setEndpoint", url)


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
    rules_version: Annotated[int | None, typer.Option(help="Of docs/spec.", min=1)] = None,
    as_json: JsonFlag = False,
) -> None:
    """Change quorum, windows or rules of rounds opened from now on; the rest stays as it is."""
    share = (None, None) if quorum is None else _share(quorum)
    wanted = {
        "quorum_numerator": share[0],
        "quorum_denominator": share[1],
        "vote_window_s": vote_window,
        "reveal_window_s": reveal_window,
        "rules_version": rules_version,
    }
    changes = {name: value for name, value in wanted.items() if value is not None}
    if not changes:
        raise ConfigError("name what to change: --quorum, --vote-window, --reveal-window, …")

    async def go() -> Policy:
        async with transactions.reading(rpc, contract) as chain:
            return replace(await chain.policy(), **changes)

    transactions.send(rpc, contract, key_file, as_json, "setPolicy", astuple(asyncio.run(go())))


@app.command("cancel-round")
def cancel_round(
    rpc: Rpc,
    contract: Contract,
    key_file: Key,
    number: Annotated[int, typer.Option("--round", min=1, help="The round.")],
    reason: Annotated[str, typer.Option(help="Why, for the record; up to 200 bytes.")],
    as_json: JsonFlag = False,
) -> None:
    """Give up a round that is not final (requester)."""
    transactions.send(rpc, contract, key_file, as_json, "cancelRound", number, reason)


@app.command()
def pause(rpc: Rpc, contract: Contract, key_file: Key, as_json: JsonFlag = False) -> None:
    """Stop opening and voting (guardian). Reveals go on, and no result changes."""
    transactions.send(rpc, contract, key_file, as_json, "pause")


@app.command()
def unpause(rpc: Rpc, contract: Contract, key_file: Key, as_json: JsonFlag = False) -> None:
    """Let opening and voting go on (administrator)."""
    transactions.send(rpc, contract, key_file, as_json, "unpause")


# -- roles ---------------------------------------------------------------------------------

RoleName = Annotated[str, typer.Option("--role", help="requester, guardian or admin.")]


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
    transactions.send(
        rpc, contract, key_file, as_json, "grantRole", _role(role), transactions.checksum(account)
    )


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
    transactions.send(
        rpc, contract, key_file, as_json, "revokeRole", _role(role), transactions.checksum(account)
    )


@app.command()
def renounce(
    rpc: Rpc, contract: Contract, key_file: Key, role: RoleName, as_json: JsonFlag = False
) -> None:
    """Give up a role of the account whose key signs."""
    from oepnode.adapters.crypto.keyfile import load_account

    account = load_account(key_file).address
    transactions.send(rpc, contract, key_file, as_json, "renounceRole", _role(role), account)


# -- signed ballots ------------------------------------------------------------------------

app.command("sign-ballot")(relay.sign_ballot)
app.command("relay")(relay.relay)
app.command("report-equivocation")(relay.report_equivocation)


# -- parts ---------------------------------------------------------------------------------


def _role(name: str) -> bytes:
    roles = {role.name.lower(): role for role in Role}
    if name not in roles:
        raise ConfigError(f"--role is one of {', '.join(roles)}, received {name!r}")
    return roles[name].value


def _share(text: str) -> tuple[int, int]:
    parts = text.split("/")
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise ConfigError(f"--quorum is a share such as 2/3, received {text!r}")
    numerator, denominator = int(parts[0]), int(parts[1])
    if not 0 < numerator <= denominator <= 255:
        raise ConfigError(f"--quorum is above 0 and at most 1, received {text!r}")
    return numerator, denominator
