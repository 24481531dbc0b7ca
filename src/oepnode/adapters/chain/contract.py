"""The consensus contract over JSON-RPC: adapters of the ports `ChainReader` and `Chain`.

Guarantees: nodes of another chain and other code than this release's are rejected when connecting;
every answer is one that enough nodes agree on (``quorum``), of one block; foreign exceptions stop
here; a write returns only after its transaction has succeeded in a block. Source:
``OepConsensus.sol``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

from eth_account.signers.local import LocalAccount
from eth_typing import ChecksumAddress, HexStr
from prometheus_client import CollectorRegistry
from web3 import AsyncWeb3, Web3
from web3.contract.async_contract import AsyncContract

from oepnode.adapters.chain import artefact, decode
from oepnode.adapters.chain.electorates import ElectorateCache
from oepnode.adapters.chain.errors import translated, translates_errors
from oepnode.adapters.chain.fees import FeeLimits, Spending
from oepnode.adapters.chain.log_checks import check_events
from oepnode.adapters.chain.quorum import Quorum, open_quorum
from oepnode.adapters.chain.send import Sender
from oepnode.adapters.chain.values import Log, Receipt
from oepnode.adapters.clock import SystemClock
from oepnode.adapters.storage.spending import SpendingInMemory
from oepnode.config import ChainSettings
from oepnode.domain.nem.nem_time import INTERVAL_S
from oepnode.domain.rounds.ballot import Vote
from oepnode.domain.rounds.history import RoundHistory
from oepnode.domain.rounds.onchain import (
    Electorate,
    Event,
    Head,
    Member,
    Policy,
    Role,
    Round,
    RoundOpened,
    parse_address,
)
from oepnode.domain.rounds.tally import Ballot
from oepnode.errors import ConflictError
from oepnode.ports import Clock

_PAGE_BLOCKS: Final = 5_000
_NOT_ENDED: Final = 2**32 - 1


def checksum_address(address: bytes | str) -> ChecksumAddress:
    """The EIP-55 form of an address."""
    return Web3.to_checksum_address(address if isinstance(address, str) else "0x" + address.hex())


class EvmReader:
    """Reads the contract. Create one with `connect_reader`, and `close` it.

    Args:
        quorum: The nodes.
        settings: Chain and contract.
        at: The block that every answer is of; without it, the newest at the time of each.
        electorates: Electorates read before.
    """

    def __init__(
        self,
        quorum: Quorum,
        settings: ChainSettings,
        at: Head | None = None,
        electorates: ElectorateCache | None = None,
    ) -> None:
        self._quorum = quorum
        self._settings = settings
        self._at = at
        self._contract: AsyncContract = AsyncWeb3().eth.contract(
            address=checksum_address(settings.contract), abi=artefact.consensus()["abi"]
        )
        self._electorates = electorates or ElectorateCache(quorum)

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
        """Check that the nodes are of the right chain, and that the contract is this release's.

        Raises:
            ConfigError: For nodes of another chain, or an address without this contract.
            TransportError: If too few nodes respond or agree.
        """
        await self._quorum.check()

    async def close(self) -> None:
        """Close the connections; may be called again."""
        await self._quorum.close()

    # --- blocks ----------------------------------------------------------------------------------

    async def settled(self) -> EvmReader:
        """A reader whose every answer is of one block: the newest that is final enough."""
        return self._pinned(await self._quorum.settled())

    async def newest(self) -> EvmReader:
        """A reader whose every answer is of one block: the newest."""
        return self._pinned(await self._quorum.newest())

    def _pinned(self, at: Head) -> EvmReader:
        return EvmReader(self._quorum, self._settings, at, self._electorates)

    async def _block(self) -> Head:
        return self._at or await self._quorum.newest()

    async def head(self) -> Head:
        """The newest block that is final enough; of a pinned reader, its block."""
        return self._at or await self._quorum.settled()

    async def head_age_s(self) -> float:
        """Age of the newest block when it was read last, in seconds."""
        return await self._quorum.heads.age_s()

    async def newest_time(self) -> int:
        """Time of the newest block when it was read last, UTC seconds."""
        return await self._quorum.heads.newest_time()

    async def block_hash(self, number: int) -> bytes:
        """Current hash of the block at a height, 32 bytes."""
        return (await self._quorum.block(number)).hash

    async def block_time(self, block: int) -> int:
        """Time of a block, UTC seconds."""
        return (await self._quorum.block(block)).time

    # --- state -----------------------------------------------------------------------------------

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
        at = await self._block()
        return await self._electorates.get(epoch, at, self._read_electorate)

    async def _read_electorate(self, epoch: int, at: Head) -> Electorate:
        pinned = self._pinned(at)
        terms = decode.named(self._contract, "terms", await pinned._call("terms", epoch))
        fields = decode.component_names(self._contract, "seatOf")
        views = await pinned._call("electorate", epoch)
        members = [decode.member(dict(zip(fields, view, strict=True))) for view in views]
        return Electorate(
            epoch=epoch,
            members=tuple(sorted(members, key=lambda member: member.index)),
            quorum=terms["quorum"],
            vote_window_s=terms["voteWindow"],
            reveal_window_s=terms["revealWindow"],
            rules_version=terms["rulesVersion"],
        )

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

    @translates_errors("record")
    async def history(self, number: int) -> RoundHistory | None:
        """A round's record and its events at one block, or None; not compared with each other."""
        pinned = self if self._at else await self.settled()
        try:
            view = decode.named(self._contract, "record", await pinned._call("record", number))
        except ConflictError as exc:
            if "UnknownRound" in str(exc):
                return None
            raise
        view["round"] = decode.named(self._contract, "round", view["round"])
        record = decode.round_record(number, view)
        at = await pinned.head()
        return RoundHistory(record, tuple(await self._events_of(record.state, at)))

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
        at = await self.head()
        for first, last in _pages(self._settings.start_block, at.number):
            for log in await self._quorum.logs(first, last, [[granted, revoked]], at):
                topic, role, account = log.topics[:3]
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
        return await self._quorum.balance(account, await self._block())

    # --- events ----------------------------------------------------------------------------------

    @translates_errors("events")
    async def events(self, first_block: int, last_block: int) -> list[Event]:
        """All events of rounds in a range of blocks, in chain order.

        Raises:
            TransportError: If they contradict the rounds' state.
        """
        at = self._at or await self._quorum.block(last_block)
        found: list[Event] = []
        for first, last in _pages(first_block, last_block):
            found += self._events(await self._quorum.logs(first, last, [], at))
        newest = self._pinned(await self._block())
        for number in dict.fromkeys(event.round for event in found):
            check_events(number, found, await newest.round(number))
        return found

    @translates_errors("round events")
    async def round_events(self, number: int) -> list[Event]:
        """All events of one round, in chain order.

        Raises:
            TransportError: If they contradict the round's state.
        """
        pinned = self if self._at else await self.settled()
        state = await pinned.round(number)
        if state is None:
            return []
        events = await self._events_of(state, await pinned.head())
        check_events(number, events, state)
        return events

    @translates_errors("opening")
    async def opening(self, number: int) -> RoundOpened | None:
        """The opening of a round, or None; reads one block, however old the round is.

        Raises:
            TransportError: If it contradicts the round's state.
        """
        pinned = self if self._at else await self.settled()
        state = await pinned.round(number)
        if state is None:
            return None
        block, at = state.opened_in_block, await pinned.head()
        logs = await self._quorum.logs(block, block, _topics_of(number), at)
        events = [event for event in self._events(logs) if event.round == number]
        check_events(number, events, state)
        return next((event for event in events if isinstance(event, RoundOpened)), None)

    @translates_errors("transaction")
    async def transaction(self, transaction: bytes) -> bytes:
        """The bytes of a signed transaction by its hash, or its calldata where they are not had."""
        return await self._quorum.transaction(transaction)

    async def _events_of(self, state: Round, at: Head) -> list[Event]:
        topics = _topics_of(state.number)
        found: list[Event] = []
        for first, last in _pages(state.opened_in_block, at.number):
            found += self._events(await self._quorum.logs(first, last, topics, at))
        return [event for event in found if event.round == state.number]

    def _events(self, logs: Sequence[Log]) -> list[Event]:
        by_topic = {
            self._contract.events[name]().topic: self._contract.events[name]()
            for name in decode.EVENTS
        }
        events: list[Event] = []
        for log in logs:
            event = by_topic.get(HexStr("0x" + log.topics[0].hex()))
            if event is not None:
                events.append(decode.event(event.process_log(log.receipt()), events))
        return events

    async def _call(self, name: str, *arguments: object) -> Any:  # noqa: ANN401 - any ABI value
        at = await self._block()
        data = bytes.fromhex(self._contract.encode_abi(name, args=list(arguments))[2:])
        with translated(f"reading {name}"):
            result = await self._quorum.call(name, data, at)
            return decode.returned(self._contract, name, result)


class EvmChain(EvmReader):
    """Reads and writes the contract with one account, one transaction at a time."""

    def __init__(
        self, quorum: Quorum, settings: ChainSettings, account: LocalAccount, spending: Spending
    ) -> None:
        super().__init__(quorum, settings)
        self._account = account
        self._sender = Sender(quorum, settings, account, FeeLimits(settings, spending))

    @property
    def signer(self) -> bytes:
        """Address of the account that signs, 20 bytes."""
        return parse_address(self._account.address)

    @translates_errors("open round")
    async def open_round(
        self, horizon_start: int, interval_count: int, envelope: bytes, registry: bytes
    ) -> RoundOpened:
        """Open a round (``REQUESTER_ROLE``); returns the event of its opening."""
        units = horizon_start // INTERVAL_S
        receipt = await self._send("openRound", units, interval_count, envelope, registry)
        return next(e for e in self._events(receipt.logs) if isinstance(e, RoundOpened))

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

    async def _send(self, name: str, *arguments: object) -> Receipt:
        data = bytes.fromhex(self._contract.encode_abi(name, args=list(arguments))[2:])
        return await self._sender.send(name, data, self.contract)


async def with_chain_id(settings: ChainSettings) -> ChainSettings:
    """The settings with the chain id that the nodes agree on."""
    quorum = open_quorum(settings)
    try:
        chain_id = await quorum.agreement.ask("chain id", lambda node: node.chain_id())
    finally:
        await quorum.close()
    return settings.model_copy(update={"chain_id": chain_id})


async def connect_reader(
    settings: ChainSettings,
    clock: Clock | None = None,
    metrics: CollectorRegistry | None = None,
) -> EvmReader:
    """Connect for reading, and check chain and contract.

    Args:
        settings: Chain, contract and nodes.
        clock: Clock that blocks' times are compared with; by default the machine's.
        metrics: Registry of the program's metrics.
    """
    return await _checked(EvmReader(open_quorum(settings, clock, metrics), settings))


async def connect(
    settings: ChainSettings,
    account: LocalAccount,
    spending: Spending | None = None,
    clock: Clock | None = None,
    metrics: CollectorRegistry | None = None,
) -> EvmChain:
    """Connect for reading and writing, and check chain and contract.

    Args:
        settings: Chain, contract, nodes and limits of fees.
        account: Signs and pays.
        spending: Record of fees; by default that of this connection alone.
        clock: Clock that blocks' times are compared with; by default the machine's.
        metrics: Registry of the program's metrics.
    """
    clock = clock or SystemClock()
    quorum = open_quorum(settings, clock, metrics)
    spending = spending or SpendingInMemory(clock)
    return await _checked(EvmChain(quorum, settings, account, spending))


_Reader = TypeVar("_Reader", bound=EvmReader)


async def _checked(reader: _Reader) -> _Reader:
    try:
        await reader.check()
    except BaseException:
        await reader.close()
        raise
    return reader


def _topics_of(number: int) -> list[str | None]:
    """Topics of all events of a round."""
    return [None, "0x" + number.to_bytes(32).hex()]


def _pages(first: int, last: int) -> Iterator[tuple[int, int]]:
    """Ranges of blocks for log queries, each short enough for a node."""
    for start in range(first, last + 1, _PAGE_BLOCKS):
        yield start, min(last, start + _PAGE_BLOCKS - 1)


def _hash(receipt: Receipt) -> bytes:
    return receipt.transaction
