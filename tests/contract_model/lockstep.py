"""The contract on a real EVM and its Python twin, driven together.

Every step is made on both. They must agree on whether it reverts, with which error and arguments,
and afterwards on every view, also as it will be at the deadlines to come. In the end they must have
emitted the same events of rounds; who reads only the chain's events must come to the same state,
and so to every view; and an auditor must come to the same counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, replace
from functools import cache, lru_cache, partial
from typing import Any

import msgspec
from eth_account.signers.local import LocalAccount

from oepnode.adapters.chain import contract
from oepnode.adapters.crypto import ballot_signature
from oepnode.client.recounts import Recount, recount
from oepnode.config import ChainSettings
from oepnode.demo import devnet
from oepnode.domain.rounds import signed_ballots
from oepnode.domain.rounds.ballot import Result, Vote, ballot_for
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import (
    Equivocated,
    Policy,
    Role,
)
from oepnode.domain.rounds.signed_ballots import SignedBallot
from oepnode.domain.rounds.tally import Standing
from tests.contract_model import electorate, rounds, views
from tests.contract_model.rebuilt import rebuild
from tests.contract_model.state import (
    MAX_MEMBERS,
    MAX_TEXT,
    MAX_WINDOW_S,
    NO_LOCATION,
    NOBODY,
    Call,
    NewWorker,
    Reverted,
    RoundStatus,
    State,
)
from tests.support.anvil import Anvil, OnChain

ModelStep = Callable[..., State]
RESULTS = tuple(Result(bytes([0xA0 + i]) * 32, 3 + i) for i in range(3))
HORIZONS = ((5_990_000, 6), (5_990_006, 6))
CUSTODY = b"\xcc" * 32
DIGESTS = (b"\x11" * 32, b"\x22" * 32)
CONSTANTS = {
    "DEFAULT_ADMIN_ROLE": Role.ADMIN.value,
    "REQUESTER_ROLE": Role.REQUESTER.value,
    "GUARDIAN_ROLE": Role.GUARDIAN.value,
    "MAX_MEMBERS": MAX_MEMBERS,
    "MAX_WINDOW": MAX_WINDOW_S,
    "MAX_TEXT": MAX_TEXT,
    "EVIDENCE_TIME": rounds.EVIDENCE_TIME_S,
}
INTERFACES = {  # ERC-165, AccessControl, and one that ERC-165 excludes
    bytes.fromhex("01ffc9a7"): True,
    bytes.fromhex("7965db0b"): True,
    b"\xff" * 4: False,
}


@dataclass(frozen=True)
class People:
    """Accounts of a life: one with each role, a stranger, operators and signers."""

    admin: bytes
    requester: bytes
    guardian: bytes
    stranger: bytes
    operators: tuple[bytes, ...]
    signers: tuple[bytes, ...]

    @property
    def everybody(self) -> tuple[bytes, ...]:
        return (
            self.admin,
            self.requester,
            self.guardian,
            self.stranger,
            *self.operators,
            *self.signers,
        )


@cache
def keys(count: int) -> dict[bytes, LocalAccount]:
    """The keys of the chain's accounts, by address."""
    accounts = [devnet.account(index) for index in range(count)]
    return {bytes.fromhex(account.address[2:]): account for account in accounts}


sign = lru_cache(4_096)(ballot_signature.sign_ballot)
recover = lru_cache(4_096)(ballot_signature.recover_signer)


def people(anvil: Anvil) -> People:
    admin, requester, guardian, stranger, *others = anvil.accounts
    return People(admin, requester, guardian, stranger, tuple(others[:8]), tuple(others[8:24]))


class Lockstep:
    """A new contract and its twin."""

    def __init__(self, anvil: Anvil, policy: Policy) -> None:
        self.anvil = anvil
        self.people = people(anvil)
        self.now = anvil.now()
        admin = self.people.admin
        self.chain = OnChain(anvil, admin, astuple(policy), self.now)
        self.state = electorate.deploy(anvil.chain_id, self.chain.address, admin, policy)
        self.first_block = int(anvil.rpc("eth_blockNumber"), 16)
        self.rejected: list[str] = []

    def enrol(self, count: int) -> None:
        """Give the roles, and add the first ``count`` operators with their signers."""
        who = self.people
        self.do("grantRole", who.admin, Role.REQUESTER, who.requester)
        self.do("grantRole", who.admin, Role.GUARDIAN, who.guardian)
        self.do("addWorkers", who.admin, [self.worker(index, index) for index in range(count)])

    def worker(self, operator: int, signer: int, url: str = "http://w") -> NewWorker:
        return NewWorker(self.people.operators[operator], self.people.signers[signer], url)

    # --- time ------------------------------------------------------------------------------------

    def wait(self, seconds: int) -> None:
        self.now += seconds
        self.anvil.mine(self.now)
        self.compare()

    def wait_until(self, time: int) -> None:
        self.wait(max(0, time - self.now))

    # --- steps -----------------------------------------------------------------------------------

    def do(self, name: str, sender: bytes, *arguments: Any) -> str | None:
        """Make a step on both; the name of the error where it was rejected."""
        on_twin, to_chain = STEPS[name]
        expected: Reverted | None = None
        try:
            after = on_twin(self.state, Call(sender, self.now, self._next_block()), *arguments)
        except Reverted as error:
            expected, after = error, self.state
        received: Reverted | None = None
        try:
            self.chain.send(sender, name, *to_chain(arguments), at=self.now)
        except Reverted as error:
            received = error
        assert received == expected, f"{name}{arguments}"
        if expected is not None:
            self.rejected.append(expected.error)
        self.state = after
        self.compare()
        return None if expected is None else expected.error

    def _next_block(self) -> int:
        return int(self.anvil.rpc("eth_blockNumber"), 16) + 1

    # --- shorthands ------------------------------------------------------------------------------

    def open(self, horizon: tuple[int, int] = HORIZONS[0]) -> int:
        self.do("openRound", self.people.requester, horizon, *DIGESTS)
        return len(self.state.rounds)

    def ballot(self, number: int, signer: bytes, result: Result) -> bytes:
        """The ballot of a signer's member; of the highest index for anybody else."""
        seat = self.state.seat_of(signer)
        index = 127 if seat is None else seat.index
        return ballot_for(rounds.context_of(self.state, number), index, result)

    def cast(self, number: int, signer: bytes, result: Result = RESULTS[0]) -> str | None:
        ballot = self.ballot(number, signer, result)
        return self.do("castBallot", signer, number, ballot, CUSTODY)

    def signed(
        self, signer: bytes, ballot: bytes, number: int, context: RoundContext | None = None
    ) -> SignedBallot:
        """A ballot signed for the round, or for another one, contract or chain.

        The number of a reason is signed as an abstention.
        """
        is_reason = 0 < int.from_bytes(ballot) < rounds.LOWEST_BALLOT
        return self.signed_vote(
            signer, Vote(ballot, bytes(32) if is_reason else CUSTODY), number, context
        )

    def signed_vote(
        self, signer: bytes, vote: Vote, number: int, context: RoundContext | None = None
    ) -> SignedBallot:
        """A vote signed for the round, or for another one, contract or chain."""
        bound_to = context or rounds.context_of(self.state, number)
        return sign(keys(len(self.anvil.accounts))[signer], bound_to, vote)

    def relay(self, number: int, ballots: Sequence[SignedBallot], cut: int = 0) -> str | None:
        """Have a stranger cast signed ballots, without the last ``cut`` bytes."""
        packed = signed_ballots.pack(ballots)
        return self.do("castBallots", self.people.stranger, number, packed[: len(packed) - cut])

    def report(self, number: int, ballots: Sequence[SignedBallot], cut: int = 0) -> str | None:
        """Have a stranger report an equivocation."""
        packed = signed_ballots.pack(ballots)
        sender = self.people.stranger
        return self.do("reportEquivocation", sender, number, packed[: len(packed) - cut])

    def packed(self, number: int) -> bytes:
        known = 0 < number <= len(self.state.rounds)
        return b"".join(b.pack() for b in self.state.rounds[number - 1].ballots) if known else b""

    def reveal(
        self, number: int, result: Result = RESULTS[0], packed: bytes | None = None
    ) -> str | None:
        ballots = self.packed(number) if packed is None else packed
        return self.do("revealRoot", self.people.stranger, number, result, ballots)

    def open_rounds(self) -> list[int]:
        return [n for n, r in enumerate(self.state.rounds, 1) if r.status is RoundStatus.OPEN]

    # --- auditing --------------------------------------------------------------------------------

    def audit(self) -> None:
        """Check that who reads only the events comes to the same state, views and counts."""
        log = self.chain.events(self.first_block)
        rebuilt = rebuild(self.anvil.chain_id, self.chain.address, log)
        assert rebuilt == replace(self.state, log=())
        self.compare(rebuilt)
        asyncio.run(self._audit())

    async def _audit(self) -> None:
        settings = ChainSettings(
            rpc_urls=(self.anvil.url,),
            chain_id=self.anvil.chain_id,
            contract=self.chain.to,
            start_block=self.first_block,
        )
        reader = await contract.connect_reader(settings)
        try:
            for number in range(1, len(self.state.rounds) + 1):
                recounted = await recount(reader, number)
                assert list(recounted.history.events) == await reader.round_events(number)
                self._audit_round(number, recounted)
        finally:
            await reader.close()

    def _audit_round(self, number: int, recounted: Recount) -> None:
        members, events = recounted.electorate, recounted.history.events
        round_ = self.state.rounds[number - 1]
        emitted = [event for event in self.state.log if event.round == number]
        assert [msgspec.structs.replace(event, location=NO_LOCATION) for event in events] == emitted
        counted = recounted.account
        assert counted.differences == ()
        candidates = views.candidates(self.state, number)
        assert tuple((t.result, t.bitmap) for t in counted.tallies) == candidates
        assert counted.final == round_.result
        reasons = {a.member.index: a.reason for a in counted.members if a.reason is not None}
        assert reasons == round_.abstentions
        silent = sum(1 << a.member.index for a in counted.members if a.standing is Standing.SILENT)
        assert silent == round_.waiting
        equivocators = {e.operator for e in events if isinstance(e, Equivocated)}
        assert equivocators == {m.operator for m in members.by_index(round_.equivocators)}

    # --- comparing -------------------------------------------------------------------------------

    def compare(self, state: State | None = None) -> None:
        """Compare every view of the contract with the twin's, or with those of another state."""
        expected = self._views(state or self.state)
        received = self.chain.read_all([(name, args, at) for name, args, at, _ in expected])
        for (name, args, at, value), answer in zip(expected, received, strict=True):
            if answer != value:
                message = f"{name}{args} at {at}: chain {answer}, twin {value}"
                raise AssertionError(message[:2_000])

    @property
    def compared(self) -> set[str]:
        """The names of the views that are compared now."""
        return {name for name, *_ in self._views(self.state)}

    def _views(self, state: State) -> list[tuple[str, Sequence[object], int | None, Any]]:
        return [*self._electorate_views(state), *self._round_views(state)]

    def _electorate_views(
        self, state: State
    ) -> list[tuple[str, Sequence[object], int | None, Any]]:
        who = self.people
        expected: list[tuple[str, Sequence[object], int | None, Any]] = [
            ("currentEpoch", (), None, state.epoch),
            ("paused", (), None, state.is_paused),
            ("terms", (0,), None, Reverted("UnknownEpoch", state.epoch, 0)),
            ("roundCount", (), None, len(state.rounds)),
            ("eip712Domain", (), None, self._domain()),
            *((name, (), None, value) for name, value in CONSTANTS.items()),
            *(("supportsInterface", (id_,), None, known) for id_, known in INTERFACES.items()),
            *(("resultHash", (r.root, r.partitions), None, r.hash) for r in RESULTS),
        ]
        for epoch, terms in enumerate(state.terms, 1):
            seats = tuple(astuple(seat) for seat in state.electorate(epoch))
            expected += [
                ("terms", (epoch,), None, views.terms_view(terms)),
                ("electorate", (epoch,), None, seats),
            ]
        for operator in who.operators:
            expected += [
                ("signerOf", (operator,), None, views.signer_of(state, operator)),
                ("endpointOf", (operator,), None, state.endpoints.get(operator, "")),
            ]
        for signer in who.signers:
            expected.append(("seatOf", (signer,), None, astuple(views.seat_of(state, signer))))
        for role in Role:
            expected.append(("getRoleAdmin", (role.value,), None, Role.ADMIN.value))
            for account in (who.admin, who.requester, who.guardian, who.stranger, NOBODY):
                holds = (role, account) in state.roles
                expected.append(("hasRole", (role.value, account), None, holds))
        return expected

    def _domain(self) -> tuple[object, ...]:
        return (
            b"\x0f",
            "OepConsensus",
            "1",
            self.anvil.chain_id,
            self.chain.address,
            bytes(32),
            (),
        )

    def _round_views(self, state: State) -> list[tuple[str, Sequence[object], int | None, Any]]:
        last = len(state.rounds)
        expected: list[tuple[str, Sequence[object], int | None, Any]] = [
            (name, (number,), None, Reverted("UnknownRound", last, number))
            for number in (0, last + 1)
            for name in ("round", "record")
        ]
        for horizon in HORIZONS:
            expected.append(("latestFinal", horizon, None, views.latest_final(state, horizon)))
        for number, round_ in enumerate(state.rounds, 1):
            edges = (round_.vote_deadline, round_.reveal_deadline)
            times = {self.now} | {edge + d for edge in edges for d in (-1, 0)}
            for time in sorted(time for time in times if time >= self.now):
                view = astuple(views.round_view(state, number, time))
                expected.append(("round", (number,), time, view))
            record = views.record_view(state, number, self.now)
            expected += [("record", (number,), self.now, record), self._final_view(state, number)]
            context = rounds.context_of(state, number)
            result = RESULTS[0]
            ballot = ballot_for(context, 5, result)
            digest = signed_ballots.ballot_digest(context, Vote(ballot, CUSTODY))
            vote = (number, 5, result.root, result.partitions)
            expected += [("ballotFor", vote, None, ballot)]
            expected += [("ballotDigest", (number, ballot, CUSTODY), None, digest)]
        return expected

    def _final_view(
        self, state: State, number: int
    ) -> tuple[str, Sequence[object], int | None, Any]:
        value: object
        try:
            value = views.final_result(state, number)
        except Reverted as error:
            value = error
        return "finalResult", (number,), None, value


def _as_is(arguments: Sequence[Any]) -> Sequence[Any]:
    return arguments


def _open_arguments(arguments: Sequence[Any]) -> Sequence[Any]:
    horizon, envelope, registry = arguments
    return (*horizon, envelope, registry)


def _reveal_arguments(arguments: Sequence[Any]) -> Sequence[Any]:
    number, result, packed = arguments
    return (number, result.root, result.partitions, packed)


def _struct_arguments(arguments: Sequence[Any]) -> Sequence[Any]:
    (value,) = arguments
    return ([astuple(v) for v in value] if isinstance(value, list) else astuple(value),)


def _role_arguments(arguments: Sequence[Any]) -> Sequence[Any]:
    role, account = arguments
    return (role.value, account)


STEPS: dict[str, tuple[ModelStep, Callable[[Sequence[Any]], Sequence[Any]]]] = {
    "addWorkers": (electorate.add_workers, _struct_arguments),
    "removeWorker": (electorate.remove_worker, _as_is),
    "rotateSigner": (electorate.rotate_signer, _as_is),
    "setPolicy": (electorate.set_policy, _struct_arguments),
    "setEndpoint": (electorate.set_endpoint, _as_is),
    "grantRole": (electorate.grant_role, _role_arguments),
    "revokeRole": (electorate.revoke_role, _role_arguments),
    "renounceRole": (electorate.renounce_role, _role_arguments),
    "pause": (electorate.pause, _as_is),
    "unpause": (electorate.unpause, _as_is),
    "openRound": (rounds.open_round, _open_arguments),
    "castBallot": (rounds.cast_ballot, _as_is),
    "castBallots": (partial(rounds.cast_ballots, recover=recover), _as_is),
    "reportEquivocation": (partial(rounds.report_equivocation, recover=recover), _as_is),
    "abstain": (rounds.abstain, _as_is),
    "revealRoot": (rounds.reveal_root, _reveal_arguments),
    "failRound": (rounds.fail_round, _as_is),
    "cancelRound": (rounds.cancel_round, _as_is),
}
