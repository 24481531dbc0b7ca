"""Certificates of a round: signed ballots that prove a quorum's vote for a root without the chain.

Guarantees: a certificate that passes `check` holds, for at least a quorum of the electorate that
the verifier knows, a signature of each member's own signer over its ballot for exactly this result
in this round of this contract and chain. Nothing that only the file says is believed, and every
other certificate is rejected by name. Leaves out recovering accounts
(``adapters.crypto.ballot_signature``), and everything that only the chain knows: whether the votes
were included and the round became final. Source: docs/spec/certificate.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, Literal, TypeAlias

from msgspec import Struct

from oepnode.domain.rounds.ballot import Result, Vote, ballot_for
from oepnode.domain.rounds.ballot_transactions import (
    BallotFault,
    BallotTransaction,
    SignedHash,
    read_transaction,
)
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import Member
from oepnode.domain.rounds.signed_ballots import SIGNED_BALLOT_SIZE, ballot_digest, unpack
from oepnode.errors import EvidenceError

MAX_MEMBERS: Final = 128

EvidenceKind: TypeAlias = Literal["transaction", "signedBallot"]
Recover: TypeAlias = Callable[[SignedHash], bytes | None]
"""Recovers the account that signed a hash, 20 bytes, or None; supplied by an adapter."""


class CertificateFault(EvidenceError):  # noqa: N818 - reads as what it is
    """A certificate was rejected.

    Attributes:
        code: Short stable name of the reason, such as ``certificate.quorum``.
        reason: The reason in words.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"certificate rejected: {code}: {message}")
        self.code = code
        self.reason = message


class CertifiedElectorate(Struct, frozen=True):
    """The members of a round's electorate and its quorum.

    Attributes:
        members: In ascending order of index.
        quorum: Matching ballots that make a root final.
    """

    members: tuple[Member, ...]
    quorum: int


class Evidence(Struct, frozen=True):
    """One member's signed ballot.

    Attributes:
        index: The member's index.
        kind: ``transaction``, a signed transaction that calls ``castBallot``, or ``signedBallot``,
            a vote signed for a relay, 128 bytes.
        data: Its bytes.
    """

    index: int
    kind: EvidenceKind
    data: bytes


class Certificate(Struct, frozen=True):
    """A certificate as its file has it, checked for form only.

    Attributes:
        context: Chain, contract and round.
        rules_version: As its maker read it from the chain; no ballot's signature covers it.
        envelope_digest: SHA-256 of the envelope document, as its maker read it; 32 bytes.
        registry_digest: SHA-256 of the registry snapshot, as its maker read it; 32 bytes.
        epoch: Of the electorate, as its maker read it.
        electorate: The round's.
        result: Root and number of partitions.
        ballots: In ascending order of index, one for a member at most.
    """

    context: RoundContext
    rules_version: int
    envelope_digest: bytes
    registry_digest: bytes
    epoch: int
    electorate: CertifiedElectorate
    result: Result
    ballots: tuple[Evidence, ...]


class ExpectedRound(Struct, frozen=True):
    """What a verifier knows by itself, and compares a certificate with.

    Attributes:
        chain_id: EIP-155 chain id.
        contract: Address of OepConsensus, 20 bytes.
        electorate: The electorate of the round's epoch.
        number: The round, or None for any.
    """

    chain_id: int
    contract: bytes
    electorate: CertifiedElectorate
    number: int | None = None


def check(
    certificate: Certificate, expected: ExpectedRound, recover: Recover
) -> tuple[Member, ...]:
    """Verify a certificate; the members whose ballots it proves, in order of index.

    Args:
        certificate: As read.
        expected: What the verifier knows by itself.
        recover: Recovers signers.

    Raises:
        CertificateFault: With the first thing that is wrong.
    """
    _check_round(certificate, expected)
    members = {member.index: member for member in expected.electorate.members}
    voted = []
    for evidence in certificate.ballots:
        member = members[evidence.index]
        try:
            check_evidence(evidence, certificate.context, member, certificate.result, recover)
        except BallotFault as exc:
            raise CertificateFault(
                exc.code, f"ballot of member {member.index} (0x{member.operator.hex()}): {exc}"
            ) from exc
        voted.append(member)
    if len(voted) < expected.electorate.quorum:
        raise CertificateFault(
            "certificate.quorum",
            f"{len(voted)} members signed for the root, the quorum is {expected.electorate.quorum}",
        )
    return tuple(voted)


def check_evidence(
    evidence: Evidence, context: RoundContext, member: Member, result: Result, recover: Recover
) -> None:
    """Check that a member's signer signed its ballot for a result.

    Raises:
        BallotFault: With the first thing that is wrong.
    """
    if evidence.kind == "transaction":
        cast = read_transaction(evidence.data)
        _check_context(cast, context)
        vote, signed = cast.vote, cast.signed
    else:
        vote, signed = _read_signed_ballot(evidence.data, context)
    if vote.ballot != ballot_for(context, member.index, result):
        raise BallotFault("ballot.other_result", "it is not this member's ballot for the root")
    if not any(vote.custody):
        raise BallotFault("ballot.other_result", "its custody root is zero")
    signer = recover(signed)
    if signer is None:
        raise BallotFault("ballot.signature", "its signature is invalid")
    if signer != member.signer:
        raise BallotFault(
            "ballot.signer",
            f"0x{signer.hex()} signed it, the member's signer is 0x{member.signer.hex()}",
        )


def find_evidence(
    carried: bytes,
    context: RoundContext,
    member: Member,
    vote: Vote,
    result: Result,
    recover: Recover,
) -> Evidence | None:
    """The evidence of a member's ballot in what carried it to the chain, or None.

    Args:
        carried: The signed transaction, or the calldata of one, which may call another contract.
        context: The round.
        member: The member.
        vote: Its vote, as the chain shows it.
        result: The result that it is for.
        recover: Recovers signers.
    """
    for evidence in _candidates(carried, member.index, vote):
        try:
            check_evidence(evidence, context, member, result, recover)
        except BallotFault:
            continue
        return evidence
    return None


def electorate_problem(electorate: CertifiedElectorate) -> tuple[str, str] | None:
    """Code and words of what is wrong with an electorate in itself, or None."""
    members, quorum = electorate.members, electorate.quorum
    indices = [member.index for member in members]
    for name, values in (
        ("index", indices),
        ("operator", [member.operator.hex() for member in members]),
        ("signer", [member.signer.hex() for member in members]),
    ):
        for at, value in enumerate(values):
            if value in values[:at]:
                return "certificate.duplicate", f"two members have the {name} {value}"
    if indices != sorted(indices):
        return "certificate.order", "the members are not in order of index"
    if not len(members) < 2 * quorum <= 2 * len(members):
        return (
            "certificate.majority",
            f"a quorum of {quorum} is no strict majority of {len(members)} members",
        )
    return None


def form_problem(certificate: Certificate) -> tuple[str, str] | None:
    """Code and words of what is wrong with a certificate in itself, or None."""
    problem = electorate_problem(certificate.electorate)
    if problem is not None:
        return problem
    known = {member.index for member in certificate.electorate.members}
    before = -1
    for evidence in certificate.ballots:
        index = evidence.index
        if index == before:
            return "certificate.duplicate", f"member {index} has two ballots"
        if index < before:
            return "certificate.order", "the ballots are not in order of index"
        if index not in known:
            return "certificate.no_member", f"a ballot is of member {index}, and there is none"
        before = index
    return None


# --- parts of the checks -------------------------------------------------------------------------


def _check_round(certificate: Certificate, expected: ExpectedRound) -> None:
    own = certificate.context
    number = own.number if expected.number is None else expected.number
    for name, found, wanted in (
        ("chain", own.chain_id, expected.chain_id),
        ("contract", "0x" + own.contract.hex(), "0x" + expected.contract.hex()),
        ("round", own.number, number),
    ):
        if found != wanted:
            raise CertificateFault(
                f"certificate.other_{name}", f"it is for {name} {found}, expected {wanted}"
            )
    stated, known = certificate.electorate, expected.electorate
    if stated.members != known.members:
        raise CertificateFault(
            "certificate.other_members", _difference(stated.members, known.members)
        )
    if stated.quorum != known.quorum:
        raise CertificateFault(
            "certificate.other_quorum", f"it has quorum {stated.quorum}, expected {known.quorum}"
        )


def _difference(stated: Sequence[Member], known: Sequence[Member]) -> str:
    """The first member that differs, in words."""
    ours = {member.index: member for member in known}
    theirs = {member.index: member for member in stated}
    index = next(i for i in range(MAX_MEMBERS) if ours.get(i) != theirs.get(i))
    return (
        f"member {index} is {_shown(theirs.get(index))} in it, and {_shown(ours.get(index))} on "
        "your list of operators"
    )


def _shown(member: Member | None) -> str:
    if member is None:
        return "absent"
    return f"0x{member.operator.hex()}=0x{member.signer.hex()}"


def _check_context(cast: BallotTransaction, context: RoundContext) -> None:
    for name, found, wanted in (
        ("chain", cast.chain_id, context.chain_id),
        ("contract", "0x" + cast.contract.hex(), "0x" + context.contract.hex()),
        ("round", cast.round, context.number),
    ):
        if found != wanted:
            shown = "no chain" if found is None else f"{name} {found}"
            raise BallotFault(f"ballot.other_{name}", f"it is for {shown}, expected {wanted}")


def _read_signed_ballot(data: bytes, context: RoundContext) -> tuple[Vote, SignedHash]:
    if len(data) != SIGNED_BALLOT_SIZE:
        raise BallotFault("ballot.malformed", f"it has {len(data)} bytes, not {SIGNED_BALLOT_SIZE}")
    (ballot,) = unpack(data)
    hashed = ballot_digest(context, ballot.vote)
    r = int.from_bytes(ballot.r)
    return ballot.vote, SignedHash(hashed, r, ballot.s, ballot.y_parity)


def _candidates(carried: bytes, index: int, vote: Vote) -> Iterator[Evidence]:
    """The transaction itself, and everything in it that could be the vote with a signature."""
    yield Evidence(index, "transaction", carried)
    start = carried.find(vote.ballot + vote.custody)
    while start >= 0:
        data = carried[start : start + SIGNED_BALLOT_SIZE]
        if len(data) == SIGNED_BALLOT_SIZE:
            yield Evidence(index, "signedBallot", data)
        start = carried.find(vote.ballot + vote.custody, start + 1)
