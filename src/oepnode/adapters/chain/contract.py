"""The consensus contract over JSON-RPC: adapters of the ports `ChainReader` and `Chain`.

Guarantees: a node of another chain is rejected when connecting; foreign exceptions stop here; a
write returns only after its transaction has succeeded in a block. Source: ``OepConsensus.sol``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, Final, cast

import aiohttp
from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress, HexStr
from web3 import AsyncHTTPProvider, AsyncWeb3, Web3
from web3.contract.async_contract import AsyncContract, AsyncContractFunction
from web3.types import LogReceipt, TxParams, TxReceipt

from oepnode.adapters.chain import artefact, decode
from oepnode.adapters.chain.errors import translated, translates_errors
from oepnode.adapters.chain.send import fee_fields, send
from oepnode.adapters.chain.sessions import SessionManager
from oepnode.adapters.http.redact import shown_url
from oepnode.config import ChainSettings
from oepnode.domain.nem.nem_time import INTERVAL_S
from oepnode.domain.rounds.ballot import Vote
from oepnode.domain.rounds.onchain import (
    Electorate,
    Event,
    Head,
    Member,
    Policy,
    Role,
    Round,
    parse_address,
)
from oepnode.domain.rounds.tally import Ballot
from oepnode.errors import ConfigError, ConflictError

_PAGE_BLOCKS: Final = 5_000
_GAS_MARGIN: Final = 1.25
_NOT_ENDED: Final = 2**32 - 1


def checksum_address(address: bytes | str) -> ChecksumAddress:
    """The EIP-55 form of an address."""
    return Web3.to_checksum_address(address if isinstance(address, str) else "0x" + address.hex())


class EvmReader:
    """Reads the contract. Create one with `connect_reader`, and `close` it."""

    def __init__(self, web3: AsyncWeb3[Any], settings: ChainSettings) -> None:
        self._web3 = web3
        self._settings = settings
        self._contract: AsyncContract = web3.eth.contract(
            address=checksum_address(settings.contract), abi=artefact.consensus()["abi"]
        )
        self._electorates: dict[int, Electorate] = {}
        self._block_times: dict[int, int] = {}

    @property
    def _shown_url(self) -> str:
        return shown_url(self._settings.rpc_url)

    # --- identity --------------------------------------------------------------------------------

    @property
    def chain_id(self) -> int:
        """EIP-155 chain id, as checked when the connection was made."""
        return self._settings.chain_id

    @property
    def contract(self) -> bytes:
        """Address of the contract, 20 bytes."""
        return parse_address(self._settings.contract)

    async def check(self) -> None:
        """Check that the node is of the right chain, and that the address has code.

        Raises:
            ConfigError: For a node of another chain, or an address without a contract.
            TransportError: If the node does not respond.
        """
        with translated(f"node {self._shown_url}"):
            received = await self._web3.eth.chain_id
            code = await self._web3.eth.get_code(self._contract.address)
        if received != self._settings.chain_id:
            raise ConfigError(
                f"node {self._shown_url}: expected chain id {self._settings.chain_id}, "
                f"received {received}; set chain.chain_id or another chain.rpc_url"
            )
        if not code:
            raise ConfigError(
                f"there is no contract at {self._contract.address} on chain {received}; "
                "set chain.contract to the address of OepConsensus"
            )

    async def close(self) -> None:
        """Close the connection; may be called again."""
        provider = self._web3.provider
        if isinstance(provider, AsyncHTTPProvider):
            await provider.disconnect()

    # --- state -----------------------------------------------------------------------------------

    @translates_errors("head")
    async def head(self) -> Head:
        """The newest block that has the configured number of confirmations."""
        with translated("newest block"):
            number = await self._web3.eth.block_number
            block = await self._web3.eth.get_block(max(0, number - self._settings.confirmations))
        return Head(block["number"], bytes(block["hash"]), block["timestamp"])

    @translates_errors("block hash")
    async def block_hash(self, number: int) -> bytes:
        """Current hash of the block at a height, 32 bytes."""
        with translated(f"block {number}"):
            block = await self._web3.eth.get_block(number)
        return bytes(block["hash"])

    @translates_errors("block time")
    async def block_time(self, block: int) -> int:
        """Time of a block, UTC seconds."""
        if block not in self._block_times:
            with translated(f"block {block}"):
                self._block_times[block] = (await self._web3.eth.get_block(block))["timestamp"]
        return self._block_times[block]

    @translates_errors("round count")
    async def round_count(self) -> int:
        """Number of the newest round, 0 before the first."""
        return int(await self._call("roundCount"))

    @translates_errors("round")
    async def round(self, number: int) -> Round | None:
        """A round's current state, or None."""
        try:
            view = await self._call("round", number)
        except ConflictError as exc:
            if "UnknownRound" in str(exc):
                return None
            raise
        return decode.round_state(number, decode.named(self._contract, "round", view))

    @translates_errors("current epoch")
    async def current_epoch(self) -> int:
        """The epoch of rounds opened now."""
        return int(await self._call("currentEpoch"))

    @translates_errors("current electorate")
    async def current_electorate(self) -> Electorate:
        """The electorate of rounds opened now."""
        return await self.electorate(await self.current_epoch())

    @translates_errors("electorate")
    async def electorate(self, epoch: int) -> Electorate:
        """The electorate of an epoch; it never changes."""
        if epoch not in self._electorates:
            terms = decode.named(self._contract, "terms", await self._call("terms", epoch))
            fields = decode.component_names(self._contract, "seatOf")
            views = await self._call("electorate", epoch)
            members = [decode.member(dict(zip(fields, view, strict=True))) for view in views]
            self._electorates[epoch] = Electorate(
                epoch=epoch,
                members=tuple(sorted(members, key=lambda member: member.index)),
                quorum=terms["quorum"],
                vote_window_s=terms["voteWindow"],
                reveal_window_s=terms["revealWindow"],
                rules_version=terms["rulesVersion"],
            )
        return self._electorates[epoch]

    @translates_errors("member of signer")
    async def member_of_signer(self, signer: bytes) -> Member | None:
        """The current member with this signer, or None."""
        value = await self._call("seatOf", checksum_address(signer))
        seat = decode.named(self._contract, "seatOf", value)
        return decode.member(seat) if seat["until"] == _NOT_ENDED else None

    @translates_errors("endpoint")
    async def endpoint(self, operator: bytes) -> str:
        """The URL of an operator's worker for bundles, or an empty string."""
        return str(await self._call("endpointOf", checksum_address(operator)))

    @translates_errors("latest final")
    async def latest_final(self, horizon_start: int, interval_count: int) -> int:
        """The latest final round of a horizon (start in UTC seconds), or 0."""
        units = horizon_start // INTERVAL_S
        return int(await self._call("latestFinal", units, interval_count))

    @translates_errors("policy")
    async def policy(self) -> Policy:
        """Quorum, windows and rules version of rounds opened now."""
        terms = decode.named(
            self._contract, "terms", await self._call("terms", await self.current_epoch())
        )
        return Policy(
            quorum_numerator=terms["quorumNumerator"],
            quorum_denominator=terms["quorumDenominator"],
            vote_window_s=terms["voteWindow"],
            reveal_window_s=terms["revealWindow"],
            rules_version=terms["rulesVersion"],
        )

    @translates_errors("equivocators")
    async def equivocators(self, number: int) -> int:
        """Bitmap of the members with two signed votes on record in a round."""
        record = await self._call("record", number)
        return int(decode.named(self._contract, "record", record)["equivocators"])

    @translates_errors("is paused")
    async def is_paused(self) -> bool:
        """Whether opening and voting are paused."""
        return bool(await self._call("paused"))

    @translates_errors("role holders")
    async def role_holders(self) -> dict[Role, list[bytes]]:
        """Current holders of each role in the order of being granted; from ``start_block`` on."""
        events = self._contract.events
        granted, revoked = events.RoleGranted().topic, events.RoleRevoked().topic
        holders: dict[bytes, dict[bytes, None]] = {role.value: {} for role in Role}
        last = (await self.head()).number
        for query in _pages(self._settings.start_block, last):
            for log in await self._raw_logs({**query, "topics": [[granted, revoked]]}):
                topic, role, account = (bytes(topic) for topic in log["topics"][:3])
                held = holders.setdefault(role, {})
                held.pop(account[12:], None)
                if topic == bytes.fromhex(granted[2:]):
                    held[account[12:]] = None
        return {role: list(holders[role.value]) for role in Role}

    @translates_errors("role code")
    async def role_code(self, role: str) -> bytes:
        """The code of ``REQUESTER_ROLE``, ``GUARDIAN_ROLE`` or ``DEFAULT_ADMIN_ROLE``."""
        return bytes(await self._call(role))

    @translates_errors("balance wei")
    async def balance_wei(self, account: bytes) -> int:
        """An account's balance in wei."""
        with translated("balance"):
            return int(await self._web3.eth.get_balance(checksum_address(account)))

    # --- events ----------------------------------------------------------------------------------

    @translates_errors("events")
    async def events(self, first_block: int, last_block: int) -> list[Event]:
        """All events of rounds in a range of blocks, in chain order."""
        events: list[Event] = []
        for query in _pages(first_block, last_block):
            events.extend(await self._logs(query))
        return events

    @translates_errors("round events")
    async def round_events(self, number: int) -> list[Event]:
        """All events of one round, in chain order."""
        state = await self.round(number)
        if state is None:
            return []
        head = await self.head()
        topics = [None, "0x" + number.to_bytes(32).hex()]
        events: list[Event] = []
        for query in _pages(state.opened_in_block, head.number):
            events.extend(await self._logs({**query, "topics": topics}))
        return [event for event in events if event.round == number]

    async def _logs(self, query: dict[str, Any]) -> list[Event]:
        by_topic = {
            self._contract.events[name]().topic: self._contract.events[name]()
            for name in decode.EVENTS
        }
        events: list[Event] = []
        for log in await self._raw_logs(query):
            event = by_topic.get(HexStr(log["topics"][0].to_0x_hex()))
            if event is not None:
                events.append(decode.event(event.process_log(log), events))
        return events

    async def _raw_logs(self, query: dict[str, Any]) -> list[LogReceipt]:
        with translated("events"):
            logs = await self._web3.eth.get_logs(
                cast(Any, {**query, "address": self._contract.address})
            )
        return sorted(logs, key=lambda log: (log["blockNumber"], log["logIndex"]))

    async def _call(self, name: str, *arguments: object) -> Any:  # noqa: ANN401 - any ABI value
        with translated(f"reading {name}"):
            return await self._contract.functions[name](*arguments).call()


class EvmChain(EvmReader):
    """Reads and writes the contract with one account, one transaction at a time."""

    def __init__(
        self, web3: AsyncWeb3[Any], settings: ChainSettings, account: LocalAccount
    ) -> None:
        super().__init__(web3, settings)
        self._account = account
        self._sending = asyncio.Lock()

    @property
    def signer(self) -> bytes:
        """Address of the account that signs, 20 bytes."""
        return parse_address(self._account.address)

    @translates_errors("open round")
    async def open_round(
        self, horizon_start: int, interval_count: int, envelope: bytes, registry: bytes
    ) -> int:
        """Open a round and return its number (``REQUESTER_ROLE``)."""
        units = horizon_start // INTERVAL_S
        receipt = await self._send("openRound", units, interval_count, envelope, registry)
        (log,) = self._contract.events.RoundOpened().process_receipt(receipt)
        return int(log["args"]["round"])

    async def cast_ballot(self, round_number: int, vote: Vote) -> bytes:
        """Cast the signer's blind ballot with its custody root."""
        return _hash(await self._send("castBallot", round_number, vote.ballot, vote.custody))

    async def cast_ballots(self, round_number: int, ballots: bytes) -> bytes:
        """Cast votes that others signed, packed by `signed_ballots.pack`."""
        return _hash(await self._send("castBallots", round_number, ballots))

    async def abstain(self, round_number: int, reason: int) -> bytes:
        """Abstain with a reason."""
        return _hash(await self._send("abstain", round_number, reason))

    async def reveal_root(
        self,
        round_number: int,
        root: bytes,
        partitions: int,
        ballots: Sequence[tuple[Member, bytes]],
    ) -> bytes:
        """Reveal a result; ``ballots`` are all (member, ballot) of the round in the order cast."""
        packed = b"".join(Ballot(member.index, ballot).pack() for member, ballot in ballots)
        return _hash(await self._send("revealRoot", round_number, root, partitions, packed))

    async def fail_round(self, round_number: int) -> bytes:
        """Close a round as failed after its reveal deadline."""
        return _hash(await self._send("failRound", round_number))

    async def transact(self, name: str, *arguments: object) -> bytes:
        """Call another function of the contract, such as ``addWorkers``."""
        return _hash(await self._send(name, *arguments))

    async def _send(self, name: str, *arguments: object) -> TxReceipt:
        async with self._sending:
            function = self._contract.functions[name](*arguments)
            with translated(name):
                transaction = await self._prepare(function)
            return await send(self._web3, self._account, transaction, name, self._settings)

    async def _prepare(self, function: AsyncContractFunction) -> TxParams:
        sender = self._account.address
        gas = await function.estimate_gas({"from": sender})
        nonce = await self._web3.eth.get_transaction_count(sender, "latest")
        fields: TxParams = {
            "from": sender,
            "nonce": nonce,
            "gas": int(gas * _GAS_MARGIN),
            "chainId": self._settings.chain_id,
            **(await fee_fields(self._web3)),
        }
        return await function.build_transaction(fields)


def open_web3(settings: ChainSettings) -> AsyncWeb3[Any]:
    """A connection to the node; sends nothing yet."""
    timeout = aiohttp.ClientTimeout(total=settings.timeout_s)
    return _open_web3(settings.rpc_url, request_kwargs={"timeout": timeout})


def _open_web3(rpc_url: str, **options: Any) -> AsyncWeb3[Any]:  # noqa: ANN401 - web3's own
    provider = AsyncHTTPProvider(rpc_url, **options)
    provider._request_session_manager = SessionManager()
    return AsyncWeb3(provider)


async def chain_id_of(rpc_url: str) -> int:
    """The chain id that a node reports."""
    web3 = _open_web3(rpc_url)
    try:
        with translated(f"node {shown_url(rpc_url)}"):
            return int(await web3.eth.chain_id)
    finally:
        await web3.provider.disconnect()


async def connect_reader(settings: ChainSettings) -> EvmReader:
    """Connect for reading, and check chain and contract."""
    return await _checked(EvmReader(open_web3(settings), settings))


async def connect(settings: ChainSettings, account: LocalAccount) -> EvmChain:
    """Connect for reading and writing, and check chain and contract."""
    return cast(EvmChain, await _checked(EvmChain(open_web3(settings), settings, account)))


async def _checked(reader: EvmReader) -> EvmReader:
    try:
        await reader.check()
    except BaseException:
        await reader.close()
        raise
    return reader


def _pages(first: int, last: int) -> Iterator[dict[str, Any]]:
    """Ranges of blocks for log queries, each short enough for a node."""
    for start in range(first, last + 1, _PAGE_BLOCKS):
        yield {"fromBlock": start, "toBlock": min(last, start + _PAGE_BLOCKS - 1)}


def _hash(receipt: TxReceipt) -> bytes:
    return bytes(receipt["transactionHash"])
