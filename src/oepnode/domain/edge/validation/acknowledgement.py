"""The two responses to a submission: system acknowledgement and transaction acknowledgement.

The system acknowledgement reports whether the data has the form of its definition (schema
validation), the transaction acknowledgement whether the business rules hold. Leaves out how
findings are gathered: that is ``finding_log``.

Source: Part C §3.2 and §6.2 ("Submission Acknowledgement"), §4.2 and §5.2 for the datasets that
promise the system acknowledgement only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Generic, Literal, TypeVar

from msgspec import Struct

from oepnode.errors import DocumentFault, Finding

T = TypeVar("T")


class FindingReport(Struct, frozen=True, kw_only=True):
    """A finding as JSON; ``rule`` is its section, the others as in `Finding`."""

    code: str
    path: str
    rule: str
    message: str
    value: str
    count: int
    caused_by: str

    @property
    def text(self) -> str:
        """The message, and the code of its cause."""
        return f"{self.message} [follows from {self.caused_by}]" if self.caused_by else self.message


ACCEPTED: Final = "accepted"
REJECTED: Final = "rejected"


class AcknowledgementReport(Struct, frozen=True, kw_only=True):
    """An acknowledgement as JSON; attributes as in `Acknowledgement`."""

    acknowledgement: str
    message_id: str
    code: str
    message: str
    counts: Mapping[str, int]
    faults: tuple[FindingReport, ...]
    warning_counts: Mapping[str, int]
    warnings: tuple[FindingReport, ...]


class ValidationReport(Struct, frozen=True):
    """Both acknowledgements of a submission as JSON."""

    system: AcknowledgementReport
    transaction: AcknowledgementReport


@dataclass(frozen=True)
class Acknowledgement:
    """One of the two responses.

    Attributes:
        kind: System or transaction.
        message_id: Names the submission.
        accepted: Whether it passed; a submission whose form is rejected is not accepted either.
        findings: Errors in the order met, at most `finding_log.MAX_PER_CODE` of each code; those
            that follow from others come last.
        counts: Code → number of errors, kept or not.
        warnings: Oddities that are allowed, kept as the errors are.
        warning_counts: Code → number of warnings.
    """

    kind: Literal["system", "transaction"]
    message_id: str
    accepted: bool
    findings: tuple[Finding, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[Finding, ...] = ()
    warning_counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Number of findings, kept or not."""
        return sum(self.counts.values())

    @property
    def code(self) -> str:
        """`ACCEPTED` or `REJECTED`."""
        return ACCEPTED if self.accepted else REJECTED

    @property
    def message(self) -> str:
        """The response in a sentence."""
        if self.accepted:
            return "data received" if self.kind == "system" else "all rules hold"
        if not self.total:
            return "not processed: the form was rejected, see the system acknowledgement"
        noun = "fault" if self.total == 1 else "faults"
        causes = {finding.code for finding in self.findings if not finding.caused_by}
        first = [code for code in self.counts if code in causes]
        rest = [f"{count} {code}" for code, count in self.counts.items() if code not in causes]
        following = f"; following from these: {', '.join(rest)}" if rest else ""
        return f"{self.total} {noun}: {', '.join(first)}{following}"

    def report(self) -> AcknowledgementReport:
        """The acknowledgement as it is encoded in JSON."""
        return AcknowledgementReport(
            acknowledgement=self.kind,
            message_id=self.message_id,
            code=self.code,
            message=self.message,
            counts=dict(self.counts),
            faults=tuple(map(_report, self.findings)),
            warning_counts=dict(self.warning_counts),
            warnings=tuple(map(_report, self.warnings)),
        )


@dataclass(frozen=True, repr=False)
class ValidationResult(Generic[T]):
    """A submission with its two acknowledgements. Its repr shows no NMI.

    Attributes:
        what: Name of the dataset for messages.
        value: The submission as read; None where the form is rejected. A value that breaks
            business rules is kept, so that it can be examined.
        system: The response to its form.
        transaction: The response to its content.
    """

    what: str
    value: T | None
    system: Acknowledgement
    transaction: Acknowledgement

    @property
    def accepted(self) -> bool:
        """Whether both acknowledgements accept it."""
        return self.system.accepted and self.transaction.accepted

    def report(self) -> ValidationReport:
        """Both acknowledgements as they are encoded in JSON."""
        return ValidationReport(self.system.report(), self.transaction.report())

    def raise_if_rejected(self) -> None:
        """Reject the submission unless both acknowledgements accept it.

        Raises:
            DocumentFault: With the findings of both.
        """
        if self.accepted:
            return
        findings = (*self.system.findings, *self.transaction.findings)
        more = self.system.total + self.transaction.total - len(findings)
        raise DocumentFault(self.what, findings, more)


def message_id_of(data: bytes) -> str:
    """A submission's message id where the receiver gives none: a digest of its bytes."""
    return message_id_for(sha256(data).digest())


def message_id_for(digest: bytes) -> str:
    """A submission's message id from the SHA-256 of its bytes."""
    return f"sha256-{digest.hex()[:32]}"


def _report(finding: Finding) -> FindingReport:
    return FindingReport(
        code=finding.code,
        path=finding.path,
        rule=finding.section,
        message=finding.message,
        value=finding.value,
        count=finding.count,
        caused_by=finding.caused_by,
    )
