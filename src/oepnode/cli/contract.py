"""``oepnode contract``: deploy the consensus contract and manage its electorate."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from oepnode.cli.output import JsonFlag, print_facts, print_json, print_table
from oepnode.config import ChainSettings
from oepnode.errors import ConfigError

app = typer.Typer(help="Deploy the contract, and manage its electorate.", no_args_is_help=True)

Rpc = Annotated[str, typer.Option("--rpc", envvar="OEPNODE_RPC", help="JSON-RPC URL of a node.")]
Contract = Annotated[
    str, typer.Option("--contract", envvar="OEPNODE_CONTRACT", help="Address of OepConsensus.")
]
Key = Annotated[Path, typer.Option("--key-file", help="Key of the account that signs.")]

_ROLES = {
    "requester": "REQUESTER_ROLE",
    "guardian": "GUARDIAN_ROLE",
    "admin": "DEFAULT_ADMIN_ROLE",
}


@app.command()
def deploy(
    rpc: Rpc,
    key_file: Key,
    admin: Annotated[
        str | None, typer.Option(help="Administrator's address; by default the signing account.")
    ] = None,
    vote_window: Annotated[int, typer.Option(help="Seconds to vote.", min=1)] = 600,
    reveal_window: Annotated[int, typer.Option(help="Seconds to reveal.", min=1)] = 600,
    quorum: Annotated[str, typer.Option(help="Share of the members, such as 2/3.")] = "2/3",
    as_json: JsonFlag = False,
) -> None:
    """Deploy a new contract and print where it is."""
    from oepnode.adapters import deploy as deployment
    from oepnode.adapters.evm import chain_id_of, checksum_address
    from oepnode.adapters.keyfile import load_account

    numerator, denominator = _share(quorum)
    account = load_account(key_file)
    policy = deployment.Policy(numerator, denominator, vote_window, reveal_window)

    async def go() -> deployment.Deployed:
        chain_id = await chain_id_of(rpc)
        owner = _address(admin or account.address)
        return await deployment.deploy(rpc, chain_id, account, owner, policy)

    done = asyncio.run(go())
    facts = {
        "contract": checksum_address(done.address),
        "block": done.block,
        "transaction": "0x" + done.transaction.hex(),
    }
    _print(facts, as_json)


@app.command()
def status(rpc: Rpc, contract: Contract, as_json: JsonFlag = False) -> None:
    """Show the electorate and terms of rounds opened now."""
    from oepnode.adapters.evm import checksum_address
    from oepnode.wiring import chain_reader

    async def go() -> tuple[dict[str, Any], list[dict[str, Any]]]:
        async with chain_reader(rpc, contract) as chain:
            electorate = await chain.current_electorate()
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
                "epoch": electorate.epoch,
                "members": len(members),
                "quorum": electorate.quorum,
                "vote_window_s": electorate.vote_window_s,
                "reveal_window_s": electorate.reveal_window_s,
                "rules_version": electorate.rules_version,
                "rounds": await chain.round_count(),
            }
            return facts, members

    facts, members = asyncio.run(go())
    if as_json:
        print_json({**facts, "electorate": members})
        return
    _print(facts, as_json)
    columns = ("index", "operator", "signer", "endpoint")
    print_table(columns, [[member[name] for name in columns] for member in members])


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
    worker = (_checksum(operator), _checksum(signer), url)
    _transact(rpc, contract, key_file, as_json, "addWorkers", [worker])


@app.command("remove-worker")
def remove_worker(
    rpc: Rpc,
    contract: Contract,
    key_file: Key,
    operator: Annotated[str, typer.Option(help="The worker's lasting address.")],
    as_json: JsonFlag = False,
) -> None:
    """Remove a worker from the electorate of rounds opened from now on."""
    _transact(rpc, contract, key_file, as_json, "removeWorker", _checksum(operator))


@app.command("rotate-signer")
def rotate_signer(
    rpc: Rpc,
    contract: Contract,
    key_file: Key,
    signer: Annotated[str, typer.Option(help="The new address that votes.")],
    as_json: JsonFlag = False,
) -> None:
    """Change the signer of the operator whose key signs; for rounds opened from now on."""
    _transact(rpc, contract, key_file, as_json, "rotateSigner", _checksum(signer))


@app.command("set-endpoint")
def set_endpoint(
    rpc: Rpc,
    contract: Contract,
    key_file: Key,
    url: Annotated[str, typer.Option(help="Where the worker serves bundles.")],
    as_json: JsonFlag = False,
) -> None:
    """Publish where the worker of the operator whose key signs is found."""
    _transact(rpc, contract, key_file, as_json, "setEndpoint", url)


@app.command()
def grant(
    rpc: Rpc,
    contract: Contract,
    key_file: Key,
    role: Annotated[str, typer.Option(help="requester, guardian or admin.")],
    account: Annotated[str, typer.Option(help="Address that gets the role.")],
    as_json: JsonFlag = False,
) -> None:
    """Give an account a role."""
    if role not in _ROLES:
        raise ConfigError(f"--role is one of {', '.join(_ROLES)}, received {role!r}")
    _transact(rpc, contract, key_file, as_json, "grantRole", _ROLES[role], _checksum(account))


def _transact(
    rpc: str, contract: str, key_file: Path, as_json: bool, name: str, *arguments: object
) -> None:
    from oepnode.adapters import evm
    from oepnode.adapters.keyfile import load_account

    account = load_account(key_file)

    async def go() -> bytes:
        settings = ChainSettings(
            rpc_url=rpc, chain_id=await evm.chain_id_of(rpc), contract=_hex(contract)
        )
        chain = await evm.connect(settings, account)
        try:
            values: list[Any] = list(arguments)
            if name == "grantRole":
                values[0] = await chain.role_code(values[0])
            return await chain.transact(name, *values)
        finally:
            await chain.close()

    _print({"done": name, "transaction": "0x" + asyncio.run(go()).hex()}, as_json)


def _print(facts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(facts)
    else:
        print_facts({name.replace("_", " "): value for name, value in facts.items()})


def _share(text: str) -> tuple[int, int]:
    parts = text.split("/")
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise ConfigError(f"--quorum is a share such as 2/3, received {text!r}")
    numerator, denominator = int(parts[0]), int(parts[1])
    if not 0 < numerator <= denominator <= 255:
        raise ConfigError(f"--quorum is above 0 and at most 1, received {text!r}")
    return numerator, denominator


def _hex(text: str) -> str:
    digits = text.removeprefix("0x")
    if len(digits) != 40 or any(digit not in "0123456789abcdefABCDEF" for digit in digits):
        raise ConfigError(f"an address is 0x and 40 hex digits, received {text!r}")
    return "0x" + digits.lower()


def _address(text: str) -> bytes:
    return bytes.fromhex(_hex(text)[2:])


def _checksum(text: str) -> str:
    from oepnode.adapters.evm import checksum_address

    return checksum_address(_hex(text))
