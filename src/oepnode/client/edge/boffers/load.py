"""Boffers of a file: validated, or loaded as far as the rules accept them.

Guarantees: Boffers whose form is rejected are never loaded; those that break business rules are
loaded only where the caller allows it, and the result names them.

Source: Part C §3.3, HLD §4.7.

Example:
    >>> boffers = load_boffers("boffer.json", skip_rejected=True)         # doctest: +SKIP
    >>> boffers.days, boffers.skipped                                     # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from msgspec import structs

from oepnode.adapters.storage import parquet
from oepnode.client.answers import PrivateStruct
from oepnode.client.edge.submissions import require_schema_valid
from oepnode.client.edge.tables import require_suffix, write_table
from oepnode.client.files import FileName, name_file, read_file, write_file
from oepnode.domain.edge.boffers import validate as rules
from oepnode.domain.edge.boffers.frame import to_frame
from oepnode.domain.edge.boffers.json_format import write_boffers as boffers_json
from oepnode.domain.edge.boffers.model import BofferDay, Boffers
from oepnode.domain.edge.boffers.validate import AcknowledgedBoffer, Context
from oepnode.domain.edge.schema.json_writer import nem_text
from oepnode.domain.edge.validation.acknowledgement import Acknowledgement, ValidationResult
from oepnode.domain.rounds.inputs.supersession import NO_SUBMISSION
from oepnode.errors import ConfigError, DocumentFault, EvidenceError

MAX_SIZE: Final = 1 << 33
"""Maximum size of a JSON file of Boffers in bytes."""

BOFFER_SUFFIXES: Final = (".json", ".ndjson", ".parquet")
"""Kinds of files that Boffers are written to."""


class RulesRejectedError(DocumentFault):
    """Boffers of the right form break business rules.

    Attributes:
        name: The file, as it was named.
        reason: The answer in a sentence.
    """

    def __init__(self, fault: DocumentFault, name: str, reason: str) -> None:
        super().__init__(f"{name}: {fault.what}", fault.faults, fault.more)
        self.name = name
        self.reason = reason

    def named(self, file: FileName) -> RulesRejectedError:
        """The same rejection, with the name of the document's file."""
        return RulesRejectedError(self, str(file), self.reason)


class NoBofferError(ConfigError):
    """No Boffer of the file is of the unit, level or date that was chosen."""


class SeveralBoffersError(ConfigError):
    """One Boffer is needed, and the file has more."""


class SkippedBoffer(PrivateStruct, frozen=True, kw_only=True):
    """A Boffer that was rejected and counts nowhere.

    Attributes:
        path: Its location in the file.
        message: Why it is rejected.
        counts: Number of findings per code.
        duid: Its DUID, where it has one that can be read.
        nmi: Its NMI, likewise.
        level: NMI or Flex.
        timing: PRE or POST.
        submitted: When it was submitted, NEM time.
    """

    path: str
    message: str
    counts: Mapping[str, int]
    duid: str | None = None
    nmi: str | None = None
    level: str | None = None
    timing: str | None = None
    submitted: str | None = None

    @property
    def sentence(self) -> str:
        """Its location, its unit and the reason."""
        unit = self.duid or self.nmi
        origin = f" ({unit}, submitted {self.submitted or 'at no known time'})" if unit else ""
        return f"{self.path}{origin} is rejected, {self.message}"


class TransactionReport(PrivateStruct, frozen=True):
    """The answer of the rules to a file of Boffers.

    Attributes:
        code: ``accepted`` or ``rejected``.
        message: The answer in a sentence.
        counts: Number of findings per code.
        skipped: Boffers that are rejected and count nowhere.
    """

    code: str
    message: str
    counts: Mapping[str, int]
    skipped: tuple[SkippedBoffer, ...]


@dataclass(frozen=True, repr=False)
class LoadedBoffers:
    """Boffers and the answer of the rules to them. Its repr shows no NMI.

    Attributes:
        name: The file, as it was named.
        days: The Boffers, a trading day each.
        transaction: Their transaction acknowledgement.
        skipped: Boffers of the file that are rejected and count nowhere.
    """

    name: str
    days: tuple[BofferDay, ...]
    transaction: Acknowledgement
    skipped: tuple[SkippedBoffer, ...] = ()

    @property
    def is_rejected(self) -> bool:
        """Whether the rules reject them."""
        return not self.transaction.accepted

    def report(self) -> TransactionReport:
        """The answer of the rules as it is encoded in JSON."""
        answer = self.transaction
        return TransactionReport(answer.code, answer.message, answer.counts, self.skipped)


# --- validate ------------------------------------------------------------------------------------


def validate_boffers(path: FileName, context: Context | None = None) -> ValidationResult[Boffers]:
    """Validate a file of Boffers.

    Args:
        path: JSON, NDJSON or Parquet.
        context: What the receiver knows beyond the file.

    Raises:
        ConfigError: If the file is not readable.
    """
    path = Path(path)
    if parquet.is_parquet(path):
        rows = parquet.read_rows(path)
        return rules.validate_frame(rows, context, message_id=path.name)
    return rules.validate(read_file(path, "file of Boffers", MAX_SIZE), context)


# --- load ----------------------------------------------------------------------------------------


def load_boffers(
    path: FileName, *, allow_rejected: bool = False, skip_rejected: bool = False
) -> LoadedBoffers:
    """Load the Boffers of a file that both acknowledgements accept.

    Args:
        path: JSON, NDJSON or Parquet, the latest Boffer last.
        allow_rejected: Load those that break business rules as well.
        skip_rejected: Acknowledge them one by one, and leave out those that are rejected.

    Raises:
        DocumentFault: If the form rejects them.
        RulesRejectedError: If the rules reject them and neither is set.
        EvidenceError: If each of them is rejected.
        ConfigError: If both are set, or the file is not readable.
    """
    if skip_rejected and allow_rejected:
        raise ConfigError("rejected Boffers are either skipped or allowed, not both")
    if skip_rejected:
        return _load_accepted_of(Path(path))
    result = validate_boffers(path)
    with name_file(Path(path)):
        require_schema_valid(result)
    return apply_rejection_policy(result, str(Path(path)), allow_rejected=allow_rejected)


def load_accepted(path: FileName) -> LoadedBoffers:
    """Load Boffers that were accepted before; rules that they break now are kept as findings.

    Raises:
        DocumentFault: If the form is rejected.
    """
    return load_boffers(path, allow_rejected=True)


def apply_rejection_policy(
    result: ValidationResult[Boffers], name: str, *, allow_rejected: bool
) -> LoadedBoffers:
    """Boffers of the right form that the rules accept, or reject where that is allowed.

    Raises:
        RulesRejectedError: If the rules reject them, and that is not allowed.
    """
    if not allow_rejected:
        try:
            result.raise_if_rejected()
        except DocumentFault as exc:
            raise RulesRejectedError(exc, name, result.transaction.message) from exc
    days = () if result.value is None else result.value.days
    return LoadedBoffers(name, days, result.transaction)


def _load_accepted_of(path: Path) -> LoadedBoffers:
    """The Boffers of a file that are accepted, each acknowledged separately."""
    answers = _acknowledge_each(path)
    skipped = tuple(_skipped(answer) for answer in answers if not answer.received.accepted)
    if len(skipped) == len(answers):
        first = structs.replace(skipped[0], nmi=None)
        raise EvidenceError(f"{path}: no Boffer is accepted; {first.sentence}")
    values = [answer.received.value for answer in answers if answer.received.accepted]
    days = tuple(day for value in values if value is not None for day in value.days)
    accepted = Acknowledgement("transaction", path.name, accepted=True)
    return LoadedBoffers(str(path), days, accepted, skipped)


def _acknowledge_each(path: Path) -> tuple[AcknowledgedBoffer, ...]:
    with name_file(path):
        if parquet.is_parquet(path):
            return rules.validate_frame_each(parquet.read_rows(path))
        return rules.validate_each(read_file(path, "file of Boffers", MAX_SIZE))


def _skipped(answer: AcknowledgedBoffer) -> SkippedBoffer:
    first, result = answer.first, answer.received
    counts = MappingProxyType({**result.system.counts, **result.transaction.counts})
    if first is None:
        return SkippedBoffer(path=answer.path, message=answer.message, counts=counts)
    is_known = first.submitted_us != NO_SUBMISSION
    return SkippedBoffer(
        path=answer.path,
        message=answer.message,
        counts=counts,
        duid=first.identity if first.kind == "DUID" else None,
        nmi=first.identity if first.kind == "NMI" else None,
        level=first.level,
        timing=first.timing,
        submitted=nem_text(first.submitted_us) if is_known else None,
    )


# --- write ---------------------------------------------------------------------------------------


def write_boffers(path: FileName, days: Sequence[BofferDay]) -> None:
    """Write Boffers as JSON, NDJSON or Parquet, by the file's suffix.

    Raises:
        ConfigError: If the file is of another kind or cannot be written.
    """
    path = Path(path)
    require_suffix(path, *BOFFER_SUFFIXES)
    if path.suffix.lower() == ".parquet":
        write_table(path, to_frame(days))
    else:
        write_file(path, boffers_json(days, ndjson=path.suffix.lower() == ".ndjson"))
