"""Every rejection of the contract is also the twin's, with the same arguments: one by one.

`Lockstep.do` compares error and arguments, and that nothing else changed on either side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from oepnode.adapters.chain import artefact
from oepnode.domain.rounds.ballot import Vote
from oepnode.domain.rounds.onchain import Policy, Role
from oepnode.domain.rounds.signed_ballots import HALF_ORDER, SignedBallot
from tests.contract_model import rounds
from tests.contract_model.lockstep import CUSTODY, DIGESTS, HORIZONS, RESULTS, Lockstep
from tests.contract_model.state import NOBODY, NewWorker
from tests.support.anvil import Anvil, error_names

Scene = Callable[[Lockstep], str | None]
SCENES: list[tuple[str, Scene]] = []
POLICY = Policy(2, 3, 60, 60, 1)


def rejected_with(error: str) -> Callable[[Scene], Scene]:
    def add(scene: Scene) -> Scene:
        SCENES.append((error, scene))
        return scene

    return add


def members(pair: Lockstep) -> tuple[bytes, ...]:
    return pair.people.signers[:3]


def signed(pair: Lockstep, number: int, index: int = 0, result: int = 0) -> SignedBallot:
    signer = pair.people.signers[index]
    return pair.signed(signer, pair.ballot(number, signer, RESULTS[result]), number)


def abstaining(pair: Lockstep, number: int, index: int = 0, reason: int = 3) -> SignedBallot:
    return pair.signed(pair.people.signers[index], reason.to_bytes(32), number)


def voted(pair: Lockstep, choices: tuple[int, ...] = (0, 0, 0)) -> int:
    """A round in which the three members have voted."""
    number = pair.open()
    for signer, choice in zip(members(pair), choices, strict=True):
        assert pair.cast(number, signer, RESULTS[choice]) is None
    return number


# --- electorate ----------------------------------------------------------------------------------


@rejected_with("AccessControlUnauthorizedAccount")
def _(pair: Lockstep) -> str | None:
    who = pair.people
    worker = pair.worker(5, 5)
    for name, arguments in {
        "addWorkers": ([worker],),
        "removeWorker": (who.operators[0],),
        "setPolicy": (POLICY,),
        "grantRole": (Role.REQUESTER, who.stranger),
        "revokeRole": (Role.REQUESTER, who.requester),
        "pause": (),
        "unpause": (),
        "openRound": (HORIZONS[0], *DIGESTS),
        "cancelRound": (1, "why"),
    }.items():
        error = pair.do(name, who.stranger, *arguments)
        assert error == "AccessControlUnauthorizedAccount", name
    return pair.do("pause", who.admin)


@rejected_with("AccessControlBadConfirmation")
def _(pair: Lockstep) -> str | None:
    return pair.do("renounceRole", pair.people.admin, Role.REQUESTER, pair.people.requester)


@rejected_with("LastAdministrator")
def _(pair: Lockstep) -> str | None:
    who = pair.people
    assert pair.do("revokeRole", who.admin, Role.ADMIN, who.stranger) is None
    assert pair.do("revokeRole", who.admin, Role.ADMIN, who.admin) == "LastAdministrator"
    assert pair.do("grantRole", who.admin, Role.ADMIN, who.stranger) is None
    assert pair.do("renounceRole", who.admin, Role.ADMIN, who.admin) is None
    return pair.do("renounceRole", who.stranger, Role.ADMIN, who.stranger)


@rejected_with("AlreadyMember")
def _(pair: Lockstep) -> str | None:
    return pair.do("addWorkers", pair.people.admin, [pair.worker(5, 5), pair.worker(0, 6)])


@rejected_with("SignerUsed")
def _(pair: Lockstep) -> str | None:
    who = pair.people
    assert pair.do("rotateSigner", who.operators[0], who.signers[0]) == "SignerUsed"
    assert pair.do("rotateSigner", who.operators[0], who.signers[9]) is None
    return pair.do("addWorkers", who.admin, [pair.worker(5, 0)])


@rejected_with("Missing")
def _(pair: Lockstep) -> str | None:
    who = pair.people
    number = pair.open()
    zero = pair.signed(who.signers[0], bytes(32), number)
    bare = pair.signed_vote(who.signers[0], Vote(b"\x99" * 32, bytes(32)), number)
    errors = [
        pair.do("addWorkers", who.admin, []),
        pair.do("addWorkers", who.admin, [NewWorker(NOBODY, who.signers[5], "")]),
        pair.do("addWorkers", who.admin, [NewWorker(who.operators[5], NOBODY, "")]),
        pair.do("rotateSigner", who.operators[0], NOBODY),
        pair.do("setPolicy", who.admin, replace(POLICY, rules_version=0)),
        *(pair.do("grantRole", who.admin, role, NOBODY) for role in Role),
        pair.do("openRound", who.requester, HORIZONS[0], bytes(32), DIGESTS[1]),
        pair.do("openRound", who.requester, HORIZONS[0], DIGESTS[0], bytes(32)),
        pair.do("castBallot", who.signers[0], number, bytes(32), CUSTODY),
        pair.do("castBallot", who.signers[0], number, b"\x99" * 32, bytes(32)),
        pair.relay(number, [signed(pair, number, 1), bare]),
        pair.report(number, [signed(pair, number), bare]),
        pair.do("abstain", who.signers[0], number, 0),
        pair.do("cancelRound", who.requester, number, ""),
        pair.report(number, [zero, zero]),
    ]
    assert errors == ["Missing"] * len(errors)
    return pair.relay(number, [signed(pair, number, 1), zero])


@rejected_with("TextTooLong")
def _(pair: Lockstep) -> str | None:
    who = pair.people
    assert pair.do("setEndpoint", who.operators[0], "é" * 100) is None
    assert pair.do("setEndpoint", who.operators[0], "é" * 100 + "x") == "TextTooLong"
    worker = NewWorker(who.operators[5], who.signers[5], "x" * 201)
    assert pair.do("addWorkers", who.admin, [worker]) == "TextTooLong"
    return pair.do("cancelRound", who.requester, pair.open(), "x" * 201)


@rejected_with("NotMember")
def _(pair: Lockstep) -> str | None:
    who = pair.people
    assert pair.do("removeWorker", who.admin, who.operators[7]) == "NotMember"
    assert pair.do("setEndpoint", who.signers[0], "") == "NotMember"
    return pair.do("rotateSigner", who.stranger, who.signers[9])


@rejected_with("InvalidQuorum")
def _(pair: Lockstep) -> str | None:
    none = replace(POLICY, quorum_numerator=0, quorum_denominator=0)
    assert pair.do("setPolicy", pair.people.admin, none) == "InvalidQuorum"
    assert pair.do("setPolicy", pair.people.admin, replace(POLICY, quorum_numerator=0)) is None
    return pair.do("setPolicy", pair.people.admin, replace(POLICY, quorum_numerator=4))


@rejected_with("InvalidWindow")
def _(pair: Lockstep) -> str | None:
    admin, week = pair.people.admin, 7 * 86_400
    assert pair.do("setPolicy", admin, replace(POLICY, vote_window_s=0)) == "InvalidWindow"
    assert pair.do("setPolicy", admin, replace(POLICY, reveal_window_s=week)) is None
    return pair.do("setPolicy", admin, replace(POLICY, reveal_window_s=week + 1))


@rejected_with("PauseState")
def _(pair: Lockstep) -> str | None:
    who = pair.people
    number = pair.open()
    assert pair.do("unpause", who.admin) == "PauseState"
    assert pair.do("pause", who.guardian) is None
    errors = [
        pair.do("pause", who.guardian),
        pair.do("openRound", who.requester, HORIZONS[0], *DIGESTS),
        pair.cast(number, who.signers[0]),
        pair.relay(number, [signed(pair, number)]),
    ]
    assert errors == ["PauseState"] * len(errors)
    assert pair.report(number, [signed(pair, number), signed(pair, number, result=1)]) is None
    return pair.do("abstain", who.signers[0], number, 1)


# --- rounds --------------------------------------------------------------------------------------


@rejected_with("EmptyElectorate")
def _(pair: Lockstep) -> str | None:
    for operator in pair.people.operators[:3]:
        assert pair.do("removeWorker", pair.people.admin, operator) is None
    return pair.do("openRound", pair.people.requester, HORIZONS[0], *DIGESTS)


@rejected_with("EmptyHorizon")
def _(pair: Lockstep) -> str | None:
    return pair.do("openRound", pair.people.requester, (1, 0), *DIGESTS)


@rejected_with("WrongStatus")
def _(pair: Lockstep) -> str | None:
    who = pair.people
    final, cancelled, failed = voted(pair), pair.open(), pair.open()
    assert pair.reveal(final) is None
    assert pair.do("cancelRound", who.requester, cancelled, "why") is None
    pair.wait_until(pair.state.rounds[failed - 1].reveal_deadline)
    assert pair.do("failRound", who.stranger, failed) is None
    for number in (0, 99, final, cancelled, failed):
        errors = [
            pair.cast(number, who.signers[0]),
            pair.do("abstain", who.signers[0], number, 1),
            pair.relay(number, []),
            pair.reveal(number),
            pair.do("failRound", who.stranger, number),
        ]
        assert errors == ["WrongStatus"] * len(errors)
    return pair.do("cancelRound", who.requester, final, "why")


@rejected_with("VotingClosed")
def _(pair: Lockstep) -> str | None:
    number = pair.open()
    pair.wait_until(pair.state.rounds[number - 1].vote_deadline - 1)
    assert pair.cast(number, members(pair)[0]) is None
    pair.wait(1)
    assert pair.cast(number, members(pair)[1]) == "VotingClosed"
    assert pair.relay(number, [signed(pair, number, 1)]) == "VotingClosed"
    assert pair.do("cancelRound", pair.people.requester, number, "why") == "VotingClosed"
    return pair.do("abstain", members(pair)[2], number, 1)


@rejected_with("EverybodyVoted")
def _(pair: Lockstep) -> str | None:
    who = pair.people
    number = pair.open()
    assert pair.cast(number, members(pair)[0]) is None
    assert pair.relay(number, [abstaining(pair, number, 1)]) is None
    other = pair.open()
    assert pair.do("cancelRound", who.requester, other, "why") is None
    assert pair.do("abstain", members(pair)[2], number, 5) is None
    return pair.do("cancelRound", who.requester, number, "why")


@rejected_with("VotingStillOpen")
def _(pair: Lockstep) -> str | None:
    number = pair.open()
    assert pair.cast(number, members(pair)[0]) is None
    pair.wait_until(pair.state.rounds[number - 1].vote_deadline - 1)
    return pair.reveal(number)


@rejected_with("RevealClosed")
def _(pair: Lockstep) -> str | None:
    number = voted(pair)
    pair.wait_until(pair.state.rounds[number - 1].reveal_deadline)
    return pair.reveal(number)


@rejected_with("RevealStillOpen")
def _(pair: Lockstep) -> str | None:
    number = voted(pair)
    pair.wait_until(pair.state.rounds[number - 1].reveal_deadline - 1)
    return pair.do("failRound", pair.people.stranger, number)


@rejected_with("NotInElectorate")
def _(pair: Lockstep) -> str | None:
    who = pair.people
    before = pair.open()
    assert pair.do("rotateSigner", who.operators[0], who.signers[9]) is None
    after = pair.open()
    assert pair.cast(before, who.signers[9]) == "NotInElectorate"
    assert pair.cast(after, who.signers[0]) == "NotInElectorate"
    assert pair.cast(before, who.signers[0]) is None
    assert pair.cast(after, who.signers[9]) is None
    return pair.cast(after, who.operators[1])


@rejected_with("AlreadyVoted")
def _(pair: Lockstep) -> str | None:
    number = pair.open()
    one, other, _ = members(pair)
    assert pair.cast(number, one) is None
    assert pair.cast(number, one, RESULTS[1]) == "AlreadyVoted"
    assert pair.do("abstain", one, number, 1) == "AlreadyVoted"
    assert pair.do("abstain", other, number, 2) is None
    return pair.cast(number, other)


# --- relayed ballots -----------------------------------------------------------------------------


@rejected_with("InvalidSignature")
def _(pair: Lockstep) -> str | None:
    number = pair.open()
    good = signed(pair, number)
    numbers = ((0, 1), (1, 0), (5, 1), (2**256 - 1, 1), (1, HALF_ORDER + 1))
    for r, s in numbers:
        bad = SignedBallot.of(good.vote, r, s, 0)
        assert pair.relay(number, [good, bad]) == "InvalidSignature"
    return pair.report(number, [good, SignedBallot.of(good.vote, 0, 0, 1)])


@rejected_with("SignerNotInElectorate")
def _(pair: Lockstep) -> str | None:
    who = pair.people
    number = pair.open()
    context = rounds.context_of(pair.state, number)
    ballot = pair.ballot(number, who.signers[0], RESULTS[0])
    for other in (
        replace(context, chain_id=1),
        replace(context, contract=b"\x77" * 20),
        replace(context, number=number + 1),
    ):
        foreign = pair.signed(who.signers[0], ballot, number, other)
        assert pair.relay(number, [foreign]) == "SignerNotInElectorate"
    changed = replace_ballot(signed(pair, number), ballot[::-1])
    assert pair.relay(number, [changed]) == "SignerNotInElectorate"
    stranger = pair.signed(who.stranger, ballot, number)
    return pair.report(number, [signed(pair, number), stranger])


def replace_ballot(signed: SignedBallot, ballot: bytes) -> SignedBallot:
    return SignedBallot(Vote(ballot, signed.vote.custody), signed.r, signed.parity_and_s)


@rejected_with("DuplicateEntry")
def _(pair: Lockstep) -> str | None:
    number = pair.open()
    batch = [signed(pair, number), signed(pair, number, 1), signed(pair, number, result=1)]
    assert pair.relay(number, batch) == "DuplicateEntry"
    assert pair.cast(number, members(pair)[0]) is None
    assert pair.relay(number, batch) is None  # the first member had voted: passed over, twice
    return pair.relay(number, [signed(pair, number, 2), signed(pair, number, 2)])


@rejected_with("NothingCast")
def _(pair: Lockstep) -> str | None:
    number = pair.open()
    assert pair.relay(number, []) == "NothingCast"
    assert pair.relay(number, [signed(pair, number)]) is None
    assert pair.do("abstain", members(pair)[1], number, 1) is None
    return pair.relay(number, [signed(pair, number), signed(pair, number, 1)])


@rejected_with("BallotsLength")
def _(pair: Lockstep) -> str | None:
    number = voted(pair)
    one, other = signed(pair, number), signed(pair, number, result=1)
    errors = [
        pair.relay(number, [one], cut=1),
        pair.report(number, [one, other], cut=1),
        pair.report(number, [one]),
        pair.report(number, []),
        pair.report(number, [one, other, one]),
    ]
    assert errors == ["BallotsLength"] * len(errors)
    return pair.reveal(number, packed=pair.packed(number)[:-1])


@rejected_with("ReservedBallot")
def _(pair: Lockstep) -> str | None:
    number, signer = pair.open(), members(pair)[0]
    for reason in range(1, 6):
        error = pair.do("castBallot", signer, number, reason.to_bytes(32), CUSTODY)
        assert error == "ReservedBallot"
    lowest = rounds.LOWEST_BALLOT.to_bytes(32)
    assert pair.do("castBallot", signer, number, lowest, CUSTODY) is None
    return pair.do("castBallot", members(pair)[1], number, (5).to_bytes(32), bytes(32))


@rejected_with("CustodyOfAbstention")
def _(pair: Lockstep) -> str | None:
    number, signer = pair.open(), members(pair)[0]
    bad = pair.signed_vote(signer, Vote((2).to_bytes(32), CUSTODY), number)
    assert pair.relay(number, [signed(pair, number, 1), bad]) == "CustodyOfAbstention"
    return pair.report(number, [signed(pair, number), bad])


@rejected_with("EvidenceClosed")
def _(pair: Lockstep) -> str | None:
    number = voted(pair)
    pair.wait_until(pair.state.rounds[number - 1].reveal_deadline + 30 * 86_400 - 1)
    evidence = [signed(pair, number), abstaining(pair, number, 0)]
    assert pair.report(number, evidence) is None
    pair.wait(1)
    return pair.report(number, [signed(pair, number, 1), abstaining(pair, number, 1)])


@rejected_with("OwnAddress")
def _(pair: Lockstep) -> str | None:
    own = pair.chain.address
    errors = [pair.do("grantRole", pair.people.admin, role, own) for role in Role]
    assert errors == ["OwnAddress"] * len(errors)
    return errors[0]


@rejected_with("TwoSigners")
def _(pair: Lockstep) -> str | None:
    number = pair.open()
    return pair.report(number, [signed(pair, number), signed(pair, number, 1)])


@rejected_with("SameBallot")
def _(pair: Lockstep) -> str | None:
    number = pair.open()
    same = [abstaining(pair, number), abstaining(pair, number)]
    assert pair.report(number, same) == "SameBallot"
    two_reasons = [abstaining(pair, number), abstaining(pair, number, reason=4)]
    assert pair.report(number, two_reasons) is None
    return pair.report(number, [signed(pair, number, 1), signed(pair, number, 1)])


@rejected_with("AlreadyEquivocated")
def _(pair: Lockstep) -> str | None:
    number = voted(pair)
    pair_of_ballots = [signed(pair, number), signed(pair, number, result=1)]
    assert pair.reveal(number) is None
    assert pair.report(number, pair_of_ballots) is None
    return pair.report(number, pair_of_ballots[::-1])


# --- reveal --------------------------------------------------------------------------------------


@rejected_with("BallotsMismatch")
def _(pair: Lockstep) -> str | None:
    number = voted(pair)
    packed = pair.packed(number)
    too_many = packed[:33] * 300  # more than there can be members
    others = [b"", packed[33:], packed + packed[:33], packed[33:] + packed[:33], too_many]
    others.append(packed[:-1] + b"!")
    errors = [pair.reveal(number, packed=other) for other in others]
    assert errors == ["BallotsMismatch"] * len(others)
    return pair.reveal(number, packed=b"\xff" + packed[1:])


@rejected_with("NothingMatched")
def _(pair: Lockstep) -> str | None:
    number = voted(pair)
    right = RESULTS[0]
    assert pair.reveal(number, replace(right, partitions=9)) == "NothingMatched"
    return pair.reveal(number, RESULTS[1])


@rejected_with("AlreadyRevealed")
def _(pair: Lockstep) -> str | None:
    number = voted(pair, (0, 1, 2))
    for result in RESULTS:
        assert pair.reveal(number, result) is None
    return pair.reveal(number, RESULTS[1])


# --- views ---------------------------------------------------------------------------------------


@rejected_with("UnknownRound")
def _(pair: Lockstep) -> str | None:
    number = voted(pair)
    return pair.report(number + 1, [signed(pair, number), signed(pair, number, result=1)])


ONLY_VIEWS = {"UnknownEpoch"}  # Lockstep.compare reads them after every step
NOT_REACHED = {"ElectorateFull"}  # 128 members: the test after this one


@pytest.mark.parametrize(("error", "scene"), SCENES, ids=[error for error, _ in SCENES])
def test_a_rejection_is_the_same_on_both(anvil: Anvil, error: str, scene: Scene) -> None:
    pair = Lockstep(anvil, POLICY)
    pair.enrol(3)
    assert scene(pair) == error
    assert pair.rejected[-1] == error


def test_a_full_electorate_is_full_on_both(anvil: Anvil) -> None:
    pair = Lockstep(anvil, POLICY)
    crowd = [
        NewWorker(index.to_bytes(20), (1_000 + index).to_bytes(20), "") for index in range(1, 130)
    ]
    assert pair.do("addWorkers", pair.people.admin, crowd[:64]) is None
    assert pair.do("addWorkers", pair.people.admin, crowd[64:]) == "ElectorateFull"
    assert pair.do("addWorkers", pair.people.admin, crowd[64:128]) is None
    assert pair.state.terms[-1].quorum == 86
    assert pair.do("addWorkers", pair.people.admin, crowd[128:]) == "ElectorateFull"


def test_no_view_is_forgotten(anvil: Anvil) -> None:
    pair = Lockstep(anvil, POLICY)
    pair.enrol(3)
    voted(pair)
    views = {
        entry["name"]
        for entry in artefact.consensus()["abi"]
        if entry["type"] == "function" and entry["stateMutability"] in ("view", "pure")
    }
    assert pair.compared == views


def test_no_rejection_is_forgotten() -> None:
    covered = {error for error, _ in SCENES}
    assert covered | ONLY_VIEWS | NOT_REACHED == error_names()
