"""Makes the certificate of a final round from the transactions that carried its votes.

Guarantees: a certificate is written only after it was verified as a reader without a node will.
Leaves out that verification (``client.certificates``). Source: docs/spec/certificate.md,
``docs/auditors.md``.
"""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from oepnode.client import certificates
from oepnode.client import chain as chains
from oepnode.client.audits import RoundRecord, record_of
from oepnode.client.certificates import CertificateReport, VerifiedCertificate
from oepnode.client.chain import ChainTarget, hexed
from oepnode.client.files import FileName, write_file
from oepnode.client.recounts import require_equal
from oepnode.client.rounds import phase_name
from oepnode.domain.rounds.ballot import Result, Vote
from oepnode.domain.rounds.certificate import (
    Certificate,
    CertifiedElectorate,
    Evidence,
    ExpectedRound,
    find_evidence,
)
from oepnode.domain.rounds.certificate_file import decode_certificate, encode_certificate
from oepnode.domain.rounds.onchain import BallotCast, Member, Phase
from oepnode.errors import ConflictError, EvidenceError
from oepnode.ports import BallotReader


class WrittenCertificate(Struct, frozen=True):
    """A certificate that was written.

    Attributes:
        file: Its file.
        operators: ``INDEX:OPERATOR=SIGNER`` of each member, as the chain has them: for comparing
            with a list that comes from elsewhere.
        report: What it proves.
    """

    file: str
    operators: tuple[str, ...]
    report: CertificateReport


def certify_round(
    chain: ChainTarget, number: int, out: FileName | None = None
) -> WrittenCertificate:
    """Gather the signed ballots of a final round, verify them, and write its certificate.

    Args:
        chain: The chain.
        number: The round.
        out: File; None takes ``round-N.certificate.json``.

    Raises:
        ConfigError: If there is no such round, or the file cannot be written.
        ConflictError: If the round is not over yet.
        EvidenceError: If it has no final root, the chain contradicts itself, or fewer members than
            a quorum have evidence that stands without the chain.
        TransportError: If the nodes do not respond, disagree, or do not have a transaction.
    """

    async def go() -> tuple[RoundRecord, dict[bytes, bytes]]:
        async with chains.open_reader(chain) as reader:
            record = await record_of(reader, number)
            _require_final(record)
            return record, await _transactions(reader, record)

    record, carried = chains.run(go())
    verified, without = _certified(record, carried)
    path = Path(f"round-{number}.certificate.json" if out is None else out)
    write_file(path, encode_certificate(verified.certificate))
    notes = (*record.notes, *without)
    report = verified.report()
    return WrittenCertificate(
        str(path),
        tuple(
            f"{member.index}:{hexed(member.operator)}={hexed(member.signer)}"
            for member in record.electorate.members
        ),
        replace(report, notes=(*notes, *report.notes)),
    )


def _require_final(record: RoundRecord) -> None:
    number, phase = record.state.number, record.state.phase
    if not phase.is_over:
        raise ConflictError(f"round {number}: not final yet ({phase_name(phase)}); try again later")
    if phase is not Phase.FINAL:
        raise EvidenceError(f"round {number}: {phase_name(phase)}; it has no root to certify")
    require_equal(number, record.account.differences)


async def _transactions(reader: BallotReader, record: RoundRecord) -> dict[bytes, bytes]:
    """What carried the matching ballots to the chain, by the transaction's hash."""
    hashes = dict.fromkeys(cast.location.transaction for _, cast in _matching(record))
    return {each: await reader.transaction(each) for each in hashes}


def _matching(record: RoundRecord) -> list[tuple[Member, BallotCast]]:
    """The members that voted for the final root, with their ballots, in order of index."""
    cast = {event.operator: event for event in record.events if isinstance(event, BallotCast)}
    matched = record.electorate.by_index(record.state.matched)
    return [(member, cast[member.operator]) for member in matched]


def _certified(
    record: RoundRecord, carried: dict[bytes, bytes]
) -> tuple[VerifiedCertificate, list[str]]:
    """The certificate, verified, and a note for each member whose ballot it lacks."""
    result = Result(record.state.root, record.state.partitions)
    ballots: list[Evidence] = []
    notes: list[str] = []
    for member, cast in _matching(record):
        found = _evidence(record, member, cast, result, carried[cast.location.transaction])
        if found is None:
            notes.append(
                f"{hexed(member.operator)} is left out: transaction "
                f"{hexed(cast.location.transaction)} has no signature of its signer over the ballot"
            )
        else:
            ballots.append(found)
    electorate = CertifiedElectorate(record.electorate.members, record.electorate.quorum)
    made = Certificate(
        context=record.context,
        rules_version=record.state.rules_version,
        envelope_digest=record.opened.envelope_digest,
        registry_digest=record.opened.registry_digest,
        epoch=record.state.epoch,
        electorate=electorate,
        result=result,
        ballots=tuple(ballots),
    )
    context = record.context
    expected = ExpectedRound(context.chain_id, context.contract, electorate, context.number)
    matched = certificates.check(made, expected)
    return VerifiedCertificate(decode_certificate(encode_certificate(made)), matched), notes


def _evidence(
    record: RoundRecord, member: Member, cast: BallotCast, result: Result, carried: bytes
) -> Evidence | None:
    from oepnode.adapters.crypto.ballot_signature import recover_account

    vote = Vote(cast.ballot, cast.custody)
    return find_evidence(carried, record.context, member, vote, result, recover_account)
