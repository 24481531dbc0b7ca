"""Messages between a gateway and the process that checks a document.

Guarantees: they hold paths of files and no document; an answer has no NMI.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from oepnode.adapters.computing.messages import Failed
from oepnode.domain.edge.envelopes.publication import DocumentFacts
from oepnode.domain.edge.validation.acknowledgement import ACCEPTED, AcknowledgementReport
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.inputs.plausibility.policy import Policy
from oepnode.errors import ComputationFault


class CheckJob(Struct, frozen=True):
    """A document to check; files are named by their paths.

    Attributes:
        document: The document.
        message_id: Names the submission.
        feed: Settings for reading it.
        policy: Decisions about oddities.
        opened_at: When its round is opened, UTC seconds.
        summary: The summary of the document, a file to be written if it follows the rules.
        previous_summary: The summary of the document before it, or None.
        previous_document: That document, to count changed limits, or None.
        registry: A registry snapshot or a list of sites, or None.
    """

    document: str
    message_id: str
    feed: Feed
    policy: Policy
    opened_at: int
    summary: str
    previous_summary: str | None = None
    previous_document: str | None = None
    registry: str | None = None


class Checked(Struct, frozen=True, tag=True):
    """The verdict on a document.

    Attributes:
        system: The answer to its form.
        transaction: The answer to its content, oddities included.
        facts: Facts about it; None where it breaks a rule.
        horizon_start: UTC seconds; 0 where it breaks a rule.
        interval_count: Dispatch intervals of the horizon; 0 where it breaks a rule.
    """

    system: AcknowledgementReport
    transaction: AcknowledgementReport
    facts: DocumentFacts | None
    horizon_start: int
    interval_count: int

    @property
    def accepted(self) -> bool:
        """Whether both acknowledgements accept it."""
        return self.system.code == self.transaction.code == ACCEPTED


CheckAnswer: TypeAlias = Checked | Failed

_job_decoder: Final = msgspec.msgpack.Decoder(CheckJob)
_answer_decoder: msgspec.msgpack.Decoder[CheckAnswer] = msgspec.msgpack.Decoder(CheckAnswer)


def decode_check_job(body: bytes) -> CheckJob:
    """A job from its bytes, without the length."""
    return _job_decoder.decode(body)


def decode_answer(body: bytes) -> CheckAnswer:
    """An answer from its bytes, without the length.

    Raises:
        ComputationFault: If they are no answer.
    """
    try:
        return _answer_decoder.decode(body)
    except msgspec.DecodeError as exc:
        raise ComputationFault("the checking process sent something else than answers") from exc
