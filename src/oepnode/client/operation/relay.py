"""Signed votes by hand: signed without gas, cast by anyone, and used as evidence.

A worker without gas signs its ballot or its abstention, and anyone brings it to the chain, many in
one transaction. A blind ballot gives a relay nothing to copy. Source:
``domain.rounds.signed_ballots``, which describes the file of signed ballots.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from oepnode.client import chain as chains
from oepnode.client.chain import ChainTarget, hexed
from oepnode.client.files import FileName, read_file
from oepnode.domain.rounds import signed_ballots
from oepnode.domain.rounds.ballot import Reason, Result, Vote, ballot_for
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import Electorate, Member, Phase, Round, RoundOpened
from oepnode.domain.rounds.signed_ballots import BallotBatch, Equivocation, Relayed
from oepnode.errors import ConfigError, ConflictError, EvidenceError

if TYPE_CHECKING:
    from oepnode.adapters.chain.contract import EvmReader

_MAX_FILE: Final = 1 << 20


class BallotFileError(EvidenceError):
    """A file holds something other than signed ballots, or nothing."""


class SkippedBallot(Struct, frozen=True):
    """A signed ballot that was not cast: its number in the file, from 1, and the reason."""

    ballot: int
    why: str


class CastBallots(Struct, frozen=True):
    """Signed ballots that were brought to the chain.

    Attributes:
        round: The round.
        cast: Operators whose ballots were cast.
        left_out: Ballots that the contract would have rejected.
        transaction: None where no ballot could be cast.
    """

    round: int
    cast: tuple[str, ...]
    left_out: tuple[SkippedBallot, ...]
    transaction: str | None

    def require_cast(self) -> None:
        """Reject an outcome without a ballot on chain.

        Raises:
            ConflictError: If every ballot was left out.
        """
        if self.transaction is None:
            raise ConflictError(f"round {self.round}: none of these ballots can be cast")


class ReportedWorker(Struct, frozen=True):
    """A worker that was put on record, and the transaction that did so."""

    operator: str
    transaction: str


class ReportedEquivocations(Struct, frozen=True):
    """Workers that were put on record for signing two ballots of one round."""

    round: int
    reported: tuple[ReportedWorker, ...]


# --- journeys ------------------------------------------------------------------------------------


def sign_ballot(
    chain: ChainTarget,
    key_file: FileName,
    number: int,
    root: str,
    partitions: int,
    custody: str,
    record: FileName | None = None,
) -> str:
    """Sign a worker's ballot with its signer's key, for a relay to cast. Sends nothing.

    Two different votes of one round are evidence against the worker: each is recorded, and a second
    one is rejected.

    Args:
        chain: The chain.
        key_file: The signer's key.
        number: The round.
        root: Root to vote for, 64 hex digits.
        partitions: Leaves of the tree with that root.
        custody: The worker's custody root, 64 hex digits.
        record: File that records signed votes; by default the key file's name and ``.signed``.

    Returns:
        One line of JSON.

    Raises:
        ConfigError: If there is no such round, or an argument is malformed.
        ConflictError: If the signer cannot vote in the round, or signed another vote.
    """
    result = Result(chains.parse_bytes32(root, "a root"), partitions)
    custody_root = chains.parse_bytes32(custody, "a custody root")
    if not any(custody_root):
        raise ConfigError("a custody root is not zero; give the one that the worker computed")

    def vote(context: RoundContext, member: Member) -> Vote:
        return Vote(ballot_for(context, member.index, result), custody_root)

    return _sign(chain, key_file, number, vote, record)


def sign_abstention(
    chain: ChainTarget,
    key_file: FileName,
    number: int,
    reason: str,
    record: FileName | None = None,
) -> str:
    """Sign a worker's abstention with its signer's key, as `sign_ballot` signs its ballot.

    Args:
        chain: The chain.
        key_file: The signer's key.
        number: The round.
        reason: A reason's name, such as ``InputMismatch``.
        record: As in `sign_ballot`.

    Raises:
        ConfigError: If there is no such round or reason.
        ConflictError: If the signer cannot vote in the round, or signed another vote.
    """
    by_label = {each.label: each for each in Reason}
    if reason not in by_label:
        raise ConfigError(f"{reason} is not a reason; give one of {', '.join(by_label)}")
    vote = Vote.abstaining(by_label[reason])
    return _sign(chain, key_file, number, lambda *_: vote, record)


def _sign(
    chain: ChainTarget,
    key_file: FileName,
    number: int,
    vote_of: Callable[[RoundContext, Member], Vote],
    record: FileName | None,
) -> str:
    from oepnode.adapters.crypto.ballot_signature import sign_ballot as sign
    from oepnode.adapters.crypto.keyfile import load_account
    from oepnode.adapters.storage.equivocation_guard import EquivocationGuard

    account = load_account(Path(key_file))
    signer = chains.parse_address(account.address)
    guard = EquivocationGuard(Path(record or f"{key_file}.signed"))

    async def go() -> tuple[RoundContext, Vote]:
        async with chains.open_reader(chain.at_depth()) as reader:
            member = await _waiting_member(reader, number, signer)
            context = chains.context_of(reader, number)
            return context, vote_of(context, member)

    context, vote = chains.run(go())
    guard.keep(context, vote)
    return signed_ballots.encode(Relayed(context, sign(account, context, vote))).decode()


def cast_ballots(target: ChainTarget, key_file: FileName, file: FileName) -> CastBallots:
    """Cast signed ballots of one round in one transaction.

    Ballots that the contract would reject are left out, so that they spoil no others.

    Args:
        target: The chain.
        key_file: Key of the account that pays.
        file: Signed ballots, one per line.

    Raises:
        ConfigError: If there is no such round, or the ballots are of several.
        EvidenceError: If the file does not hold signed ballots.
    """
    number, ballots = _read_ballots(file)

    async def go() -> tuple[BallotBatch, bytes | None]:
        from oepnode.adapters.crypto.ballot_signature import recover_signer

        async with chains.open_writer(target, key_file) as chain:
            state, electorate = await _round(chain, number)
            context = chains.context_of(chain, number)
            batch = signed_ballots.batch_of(
                context, electorate, state.voted, ballots, recover_signer
            )
            if not batch.chosen:
                return batch, None
            packed = signed_ballots.pack(signed for _, signed in batch.chosen)
            return batch, await chain.cast_ballots(number, packed)

    batch, transaction = chains.run(go())
    return CastBallots(
        round=number,
        cast=tuple(hexed(member.operator) for member, _ in batch.chosen),
        left_out=tuple(SkippedBallot(left.index + 1, left.why) for left in batch.left_out),
        transaction=hexed(transaction) if transaction else None,
    )


def report_equivocations(
    target: ChainTarget, key_file: FileName, file: FileName
) -> ReportedEquivocations:
    """Put on record which workers signed two different votes for one round, once each.

    Args:
        target: The chain.
        key_file: Key of the account that pays.
        file: Signed ballots, one per line.

    Raises:
        ConfigError: If there is no such round, or the ballots are of several.
        EvidenceError: If the file shows no equivocation that is not on record already.
    """
    number, ballots = _read_ballots(file)

    async def go() -> list[tuple[Equivocation, bytes]]:
        from oepnode.adapters.crypto.ballot_signature import recover_signer

        async with chains.open_writer(target, key_file) as chain:
            _, electorate = await _round(chain, number)
            context = chains.context_of(chain, number)
            pairs = signed_ballots.equivocations_in(context, electorate, ballots, recover_signer)
            recorded = await chain.equivocators(number)
            return [
                (
                    pair,
                    await chain.transact(
                        "reportEquivocation", number, signed_ballots.pack(pair.ballots)
                    ),
                )
                for pair in pairs
                if not recorded >> pair.member.index & 1
            ]

    reported = chains.run(go())
    if not reported:
        raise EvidenceError(
            f"round {number}: the file shows no worker with two votes that is not on record"
        )
    return ReportedEquivocations(
        number,
        tuple(ReportedWorker(hexed(pair.member.operator), hexed(tx)) for pair, tx in reported),
    )


# --- parts ---------------------------------------------------------------------------------------


def _read_ballots(file: FileName) -> tuple[int, list[Relayed]]:
    """Signed ballots of one round, and its number."""
    data = read_file(Path(file), "file of signed ballots", _MAX_FILE)
    try:
        ballots = signed_ballots.decode_lines(data)
    except EvidenceError as exc:
        raise BallotFileError(f"{file}: {exc}") from exc
    if not ballots:
        raise BallotFileError(f"{file}: holds no signed ballot")
    numbers = {relayed.context.number for relayed in ballots}
    if len(numbers) > 1:
        listed = ", ".join(map(str, sorted(numbers)))
        raise ConfigError(f"{file}: holds ballots of rounds {listed}; split it by round")
    return numbers.pop(), ballots


async def _waiting_member(chain: EvmReader, number: int, signer: bytes) -> Member:
    """The member with this signer, which can still vote in a round.

    Raises:
        ConfigError: If there is no such round.
        ConflictError: If it is not a member, has voted, voting is over, or the round's opening is
            not deep enough.
    """
    round_, electorate = await _round(chain, number)
    member = next((m for m in electorate.members if m.signer == signer), None)
    if member is None:
        raise ConflictError(
            f"{hexed(signer)} is not a signer of round {number}'s electorate, epoch "
            f"{electorate.epoch}"
        )
    if round_.phase is not Phase.VOTING:
        raise ConflictError(f"round {number} takes no votes: it is {round_.phase.name.lower()}")
    if round_.voted >> member.index & 1:
        raise ConflictError(f"round {number}: this member has voted or abstained")
    # By the event and not by its time: several blocks can share one second.
    events = await chain.round_events(number)
    if not any(isinstance(event, RoundOpened) for event in events):
        raise ConflictError(
            f"round {number} was opened in the last blocks: the chain may still replace it; "
            "sign it later"
        )
    return member


async def _round(chain: EvmReader, number: int) -> tuple[Round, Electorate]:
    state = await chain.round(number)
    if state is None and await (await chain.newest()).round(number) is not None:
        raise ConflictError(
            f"round {number} was opened in the last blocks: the chain may still replace it; "
            "sign it later"
        )
    if state is None:
        raise ConfigError(f"there is no round {number} of this contract")
    return state, await chain.electorate(state.epoch)
