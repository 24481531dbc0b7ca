"""A round's certificate, verified without any node of the chain.

Guarantees: the operators, their signers and the quorum are the verifier's own, and so are chain and
contract; nothing of a certificate counts that they do not confirm. Leaves out making one
(``client.certifying``). Source: docs/spec/certificate.md, ``docs/auditors.md``.

Example:
    >>> known = KnownElectorate(1, "0x5fbd…", 3, operators=["0xa0…=0xb0…"])   # doctest: +SKIP
    >>> verify_certificate("round-3.certificate.json", known).matched         # doctest: +SKIP
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from oepnode.client import chain as chains
from oepnode.client.chain import hexed
from oepnode.client.files import FileName, read_file
from oepnode.domain.rounds import certificate as certificates
from oepnode.domain.rounds.certificate import (
    MAX_MEMBERS,
    Certificate,
    CertificateFault,
    CertifiedElectorate,
    ExpectedRound,
    electorate_problem,
)
from oepnode.domain.rounds.certificate_file import MAX_CERTIFICATE_BYTES, decode_certificate
from oepnode.domain.rounds.onchain import Member
from oepnode.errors import ConfigError

_MAX_OPERATORS_BYTES: Final = 64 * 2**10
UNPROVEN: Final = (
    "a certificate proves that these members signed for the root; whether their votes were "
    "included, and whether the round was cancelled or superseded, only the chain shows"
)


class OperatorsNotNamedError(ConfigError):
    """The operators with their signers, the quorum, the chain or the contract are not named."""


class KnownElectorate(Struct, frozen=True):
    """An electorate as a verifier knows it, without any node of the chain.

    Attributes:
        chain_id: EIP-155 chain id.
        contract: Address of OepConsensus.
        quorum: Matching ballots that make a root final.
        operators: ``OPERATOR=SIGNER`` of each member in order of index, from 0. Where an index is
            free, the next entry states its own: ``2:OPERATOR=SIGNER``.
        operators_file: File with the same, one a line; empty lines and lines that begin with ``#``
            are skipped. Its entries come before ``operators``.
    """

    chain_id: int
    contract: str
    quorum: int
    operators: Sequence[str] = ()
    operators_file: FileName | None = None


class CertifiedRound(Struct, frozen=True):
    """A certificate's file with the electorate that it is verified against."""

    file: FileName
    electorate: KnownElectorate


class CertificateReport(Struct, frozen=True):
    """A certificate that was verified: hex as ``0x…``.

    Attributes:
        round: The round.
        chain_id: EIP-155 chain id.
        contract: Address of OepConsensus.
        root: The root that a quorum signed for.
        partitions: Leaves of the round tree, which the members signed for as well.
        quorum: The verifier's.
        member_count: Size of the electorate.
        matched: Operators whose ballots were proven, in order of index.
        direct: Number of them that cast their ballot in a transaction of their own.
        stated: Facts of the file that no signature covers.
        notes: Sentences for the user.
    """

    round: int
    chain_id: int
    contract: str
    root: str
    partitions: int
    quorum: int
    member_count: int
    matched: tuple[str, ...]
    direct: int
    stated: StatedFacts
    notes: tuple[str, ...]


class StatedFacts(Struct, frozen=True):
    """Facts of a certificate's file that no signature covers: its maker read them on chain."""

    epoch: int
    rules_version: int
    envelope_digest: str
    registry_digest: str


class VerifiedCertificate(Struct, frozen=True):
    """A certificate that was verified, with the members whose ballots it proves."""

    certificate: Certificate
    matched: tuple[Member, ...]

    @property
    def shown_count(self) -> str:
        """The number of members that signed, of all."""
        return f"{len(self.matched)} of {len(self.certificate.electorate.members)} members"

    def report(self) -> CertificateReport:
        """The facts that it proves, and those that it states."""
        own = self.certificate
        return CertificateReport(
            round=own.context.number,
            chain_id=own.context.chain_id,
            contract=hexed(own.context.contract),
            root=hexed(own.result.root),
            partitions=own.result.partitions,
            quorum=own.electorate.quorum,
            member_count=len(own.electorate.members),
            matched=tuple(hexed(member.operator) for member in self.matched),
            direct=sum(evidence.kind == "transaction" for evidence in own.ballots),
            stated=StatedFacts(
                own.epoch,
                own.rules_version,
                own.envelope_digest.hex(),
                own.registry_digest.hex(),
            ),
            notes=(UNPROVEN,),
        )


def verify_certificate(
    file: FileName, electorate: KnownElectorate, number: int | None = None
) -> CertificateReport:
    """Verify a certificate; needs no node, and no network.

    Args:
        file: From `certify_round`.
        electorate: The electorate of the round's epoch, as the verifier knows it.
        number: The round that it must be of; None accepts any.

    Raises:
        CertificateFault: With the name of the first thing that is wrong.
        ConfigError: If the file cannot be read, or the electorate is malformed.
    """
    return check_certificate(CertifiedRound(file, electorate), number).report()


def check_certificate(certified: CertifiedRound, number: int | None) -> VerifiedCertificate:
    """As `verify_certificate`, with the certificate itself."""
    expected = _expected(certified.electorate, number)
    data = read_file(Path(certified.file), "certificate", MAX_CERTIFICATE_BYTES)
    try:
        certificate = decode_certificate(data)
        return VerifiedCertificate(certificate, check(certificate, expected))
    except CertificateFault as exc:
        raise CertificateFault(exc.code, f"{certified.file}: {exc.reason}") from exc


def check(certificate: Certificate, expected: ExpectedRound) -> tuple[Member, ...]:
    """Verify a certificate that was read; the members whose ballots it proves."""
    from oepnode.adapters.crypto.ballot_signature import recover_account

    return certificates.check(certificate, expected, recover_account)


# --- the verifier's electorate -------------------------------------------------------------------


def _expected(known: KnownElectorate, number: int | None) -> ExpectedRound:
    electorate = CertifiedElectorate(tuple(_members(_entries(known))), known.quorum)
    if not electorate.members:
        raise OperatorsNotNamedError("no operator is named whose signature would count")
    problem = electorate_problem(electorate)
    if problem is not None:
        raise ConfigError(f"your list of operators: {problem[1]}")
    contract = chains.parse_address(known.contract)
    return ExpectedRound(known.chain_id, contract, electorate, number)


def _entries(known: KnownElectorate) -> list[str]:
    if known.operators_file is None:
        return list(known.operators)
    path = Path(known.operators_file)
    try:
        text = read_file(path, "list of operators", _MAX_OPERATORS_BYTES).decode()
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path}: not a text of OPERATOR=SIGNER, one a line") from exc
    lines = (line.strip() for line in text.splitlines())
    return [*(line for line in lines if line and not line.startswith("#")), *known.operators]


def _members(entries: Sequence[str]) -> Iterator[Member]:
    following = 0
    for entry in entries:
        stated, colon, pair = entry.replace(" ", "").rpartition(":")
        index = following if not colon else _index(stated)
        if not 0 <= index < MAX_MEMBERS:
            raise ConfigError(f"operator {entry[:140]!r}: an index is a number from 0 to 127")
        operator, equals, signer = pair.partition("=")
        if not equals:
            raise ConfigError(f"operator {entry!r}: write OPERATOR=SIGNER: signatures are checked")
        yield Member(index, chains.parse_address(operator), chains.parse_address(signer))
        following = index + 1


def _index(text: str) -> int:
    return int(text) if re.fullmatch("[0-9]{1,3}", text) else -1
