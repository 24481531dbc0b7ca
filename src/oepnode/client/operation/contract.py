"""The consensus contract: deployed, checked, and managed by the accounts that hold its roles.

Leaves out voting, except signed ballots (``client.operation.relay``). Source:
``docs/contract.md``.
"""

from __future__ import annotations

from dataclasses import astuple, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from oepnode.client import chain as chains
from oepnode.client.chain import ChainTarget, hexed, parse_address
from oepnode.client.files import FileName
from oepnode.domain.rounds.onchain import Policy, Role
from oepnode.errors import ConfigError

if TYPE_CHECKING:
    from oepnode.adapters.chain.deploy import Deployed


class DeployedContract(Struct, frozen=True):
    """A contract that was deployed, and whose code was checked."""

    contract: str
    block: int
    transaction: str
    verified: bool


class CheckedCode(Struct, frozen=True):
    """Code on chain that is the release's own, byte for byte."""

    contract: str
    verified: bool
    bytes: int
    compiler: str


class WorkerSeat(Struct, frozen=True):
    """A member of the electorate with its worker's URL."""

    index: int
    operator: str
    signer: str
    endpoint: str


class ContractStatus(Struct, frozen=True):
    """The electorate and the terms of a round that would be opened now."""

    contract: str
    chain_id: int
    paused: bool
    epoch: int
    members: int
    quorum: int
    quorum_share: str
    vote_window_s: int
    reveal_window_s: int
    rules_version: int
    rounds: int
    electorate: tuple[WorkerSeat, ...]


class Done(Struct, frozen=True):
    """A transaction that succeeded: the contract's function, and the transaction's hash."""

    done: str
    transaction: str


# --- deploying and reading -----------------------------------------------------------------------


def deploy_contract(
    chain: ChainTarget,
    key_file: FileName,
    admin: str | None = None,
    *,
    quorum: str = "2/3",
    vote_window_s: int = 600,
    reveal_window_s: int = 600,
) -> DeployedContract:
    """Deploy a new contract and check its code.

    Args:
        chain: Nodes of the chain; its contract is not looked at.
        key_file: Key of the account that signs.
        admin: The administrator's address; by default the signing account.
        quorum: Share of the members, such as ``2/3``.
        vote_window_s: Seconds to vote.
        reveal_window_s: Seconds to reveal.
    """
    from oepnode.adapters.chain import deploy as deployment
    from oepnode.adapters.chain.contract import with_chain_id
    from oepnode.adapters.crypto.keyfile import load_account

    settings = chains.node_settings(chain)
    policy = Policy(*_share(quorum), vote_window_s, reveal_window_s)
    account = load_account(Path(key_file))
    owner = parse_address(admin or account.address)

    async def go() -> deployment.Deployed:
        return await deployment.deploy(await with_chain_id(settings), account, owner, policy)

    return _deployed(chains.run(go()))


def deploy_inclusion(chain: ChainTarget, key_file: FileName) -> DeployedContract:
    """Deploy the contract that verifies inclusion on chain, and check its code.

    Only contracts that act on a limit need it, and one of them serves a whole chain.

    Args:
        chain: Nodes of the chain; its contract is not looked at.
        key_file: Key of the account that signs.
    """
    from oepnode.adapters.chain import deploy as deployment
    from oepnode.adapters.chain.contract import with_chain_id
    from oepnode.adapters.crypto.keyfile import load_account

    settings = chains.node_settings(chain)
    account = load_account(Path(key_file))

    async def go() -> deployment.Deployed:
        return await deployment.deploy_inclusion(await with_chain_id(settings), account)

    return _deployed(chains.run(go()))


def check_contract_code(chain: ChainTarget) -> CheckedCode:
    """Compare the code at an address with this release's, byte for byte.

    Raises:
        EvidenceError: If they differ.
    """
    from oepnode.adapters.chain import artefact
    from oepnode.adapters.chain import deploy as deployment
    from oepnode.adapters.chain.code import check_code
    from oepnode.adapters.chain.contract import with_chain_id

    settings = chains.node_settings(chain)

    async def go() -> bytes:
        return await deployment.deployed_code(await with_chain_id(settings))

    code = chains.run(go())
    compiled = artefact.consensus()
    check_code(code, compiled)
    compiler = str(compiled["compiler"])
    return CheckedCode(
        _checksum(settings.contract), verified=True, bytes=len(code), compiler=compiler
    )


def contract_abi() -> Any:  # noqa: ANN401 - any JSON
    """The contract's ABI, for wallets that make their calls themselves."""
    from oepnode.adapters.chain import artefact

    return artefact.consensus()["abi"]


def contract_status(chain: ChainTarget) -> ContractStatus:
    """Read the electorate and the terms of a round that would be opened now."""
    return chains.run(_status(chain))


async def _status(target: ChainTarget) -> ContractStatus:
    async with chains.open_reader(target.at_newest()) as chain:
        electorate = await chain.current_electorate()
        policy = await chain.policy()
        seats = [
            WorkerSeat(
                index=member.index,
                operator=_checksum(member.operator),
                signer=_checksum(member.signer),
                endpoint=await chain.endpoint(member.operator),
            )
            for member in electorate.members
        ]
        return ContractStatus(
            contract=_checksum(chain.contract),
            chain_id=chain.chain_id,
            paused=await chain.is_paused(),
            epoch=electorate.epoch,
            members=len(electorate.members),
            quorum=electorate.quorum,
            quorum_share=f"{policy.quorum_numerator}/{policy.quorum_denominator}",
            vote_window_s=electorate.vote_window_s,
            reveal_window_s=electorate.reveal_window_s,
            rules_version=electorate.rules_version,
            rounds=await chain.round_count(),
            electorate=tuple(seats),
        )


def role_holders(chain: ChainTarget) -> dict[str, list[str]]:
    """Read the accounts that hold each role."""

    async def go() -> dict[Role, list[bytes]]:
        async with chains.open_reader(chain.at_newest()) as reader:
            return await reader.role_holders()

    holders = chains.run(go())
    return {
        role.name.lower(): [_checksum(account) for account in accounts]
        for role, accounts in holders.items()
    }


# --- managing ------------------------------------------------------------------------------------


def add_worker(
    chain: ChainTarget, key_file: FileName, operator: str, signer: str, url: str = ""
) -> Done:
    """Add a worker to the electorate of rounds opened from now on.

    Raises:
        ConfigError: If no aggregator would query the URL.
    """
    worker = (_checksum(operator), _checksum(signer), _endpoint(url))
    return _transact(chain, key_file, "addWorkers", [worker])


def remove_worker(chain: ChainTarget, key_file: FileName, operator: str) -> Done:
    """Remove a worker from the electorate of rounds opened from now on."""
    return _transact(chain, key_file, "removeWorker", _checksum(operator))


def rotate_signer(chain: ChainTarget, key_file: FileName, signer: str) -> Done:
    """Change the signer of the operator whose key signs; for rounds opened from now on."""
    return _transact(chain, key_file, "rotateSigner", _checksum(signer))


def set_endpoint(chain: ChainTarget, key_file: FileName, url: str) -> Done:
    """Publish the URL of the worker of the operator whose key signs.

    Raises:
        ConfigError: If no aggregator would query the URL.
    """
    return _transact(chain, key_file, "setEndpoint", _endpoint(url))


def _endpoint(url: str) -> str:
    from oepnode.adapters.http.endpoints import EndpointError, parse

    try:
        if url:
            parse(url, allow_private=True)
    except EndpointError:
        raise ConfigError(
            f"'{url}': a worker's URL must be http:// or https:// with host, port and path only; "
            "aggregators query no other"
        ) from None
    return url


def set_policy(
    chain: ChainTarget,
    key_file: FileName,
    *,
    quorum: str | None = None,
    vote_window_s: int | None = None,
    reveal_window_s: int | None = None,
    rules_version: int | None = None,
) -> Done:
    """Change terms of rounds opened from now on; those that are None stay as they are.

    Raises:
        ConfigError: If nothing is to be changed.
    """
    numerator, denominator = (None, None) if quorum is None else _share(quorum)
    terms = {
        "quorum_numerator": numerator,
        "quorum_denominator": denominator,
        "vote_window_s": vote_window_s,
        "reveal_window_s": reveal_window_s,
        "rules_version": rules_version,
    }
    changes: dict[str, Any] = {name: value for name, value in terms.items() if value is not None}
    if not changes:
        raise ConfigError("nothing to change: name a quorum, a window or the rules' version")

    async def go() -> Policy:
        async with chains.open_reader(chain.at_newest()) as reader:
            return replace(await reader.policy(), **changes)

    return _transact(chain, key_file, "setPolicy", astuple(chains.run(go())))


def cancel_round(chain: ChainTarget, key_file: FileName, number: int, reason: str) -> Done:
    """Give up a round that is not final."""
    return _transact(chain, key_file, "cancelRound", number, reason)


def pause(chain: ChainTarget, key_file: FileName) -> Done:
    """Stop opening and voting."""
    return _transact(chain, key_file, "pause")


def unpause(chain: ChainTarget, key_file: FileName) -> Done:
    """Resume opening and voting."""
    return _transact(chain, key_file, "unpause")


def grant_role(chain: ChainTarget, key_file: FileName, role: str, account: str) -> Done:
    """Give an account a role."""
    return _transact(chain, key_file, "grantRole", _role(role), _checksum(account))


def revoke_role(chain: ChainTarget, key_file: FileName, role: str, account: str) -> Done:
    """Take a role from an account."""
    return _transact(chain, key_file, "revokeRole", _role(role), _checksum(account))


def renounce_role(chain: ChainTarget, key_file: FileName, role: str) -> Done:
    """Give up a role of the account whose key signs."""
    from oepnode.adapters.crypto.keyfile import load_account

    account = load_account(Path(key_file)).address
    return _transact(chain, key_file, "renounceRole", _role(role), account)


# --- parts ---------------------------------------------------------------------------------------


def _transact(target: ChainTarget, key_file: FileName, function: str, *arguments: object) -> Done:
    """Call a function of the contract in a transaction.

    Raises:
        ConflictError: If the contract rejected it.
    """

    async def go() -> bytes:
        async with chains.open_writer(target, key_file) as chain:
            return await chain.transact(function, *arguments)

    return Done(function, hexed(chains.run(go())))


def _deployed(deployed: Deployed) -> DeployedContract:
    return DeployedContract(
        _checksum(deployed.address), deployed.block, hexed(deployed.transaction), verified=True
    )


def _checksum(address: str | bytes) -> str:
    """The EIP-55 form of an address."""
    from oepnode.adapters.chain.contract import checksum_address

    return checksum_address(parse_address(address) if isinstance(address, str) else address)


def _role(name: str) -> bytes:
    roles = {role.name.lower(): role for role in Role}
    if name not in roles:
        raise ConfigError(f"{name!r}: a role must be one of {', '.join(roles)}")
    return roles[name].value


def _share(text: str) -> tuple[int, int]:
    parts = text.split("/")
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise ConfigError(f"{text!r}: a quorum must be a share such as 2/3")
    numerator, denominator = int(parts[0]), int(parts[1])
    if not 0 < numerator <= denominator <= 255:
        raise ConfigError(f"{text!r}: a quorum must be above 0 and at most 1, in terms up to 255")
    return numerator, denominator
