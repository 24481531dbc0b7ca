"""The reason to abstain that each error of a computation leads to."""

import pytest

from oepnode.domain.rounds.ballot import Reason
from oepnode.errors import (
    ConfigError,
    ConflictError,
    DigestMismatch,
    DocumentFault,
    EvidenceError,
    FatalError,
    Finding,
    TransportError,
)
from oepnode.worker.abstentions import detail_for, reason_for

FAULTS = [Finding("$", f"limit.{index}", "a limit is wrong") for index in range(7)]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (DigestMismatch("document", bytes(32), bytes(32)), Reason.INPUT_MISMATCH),
        (DocumentFault("document", FAULTS), Reason.INPUT_INVALID),
        (EvidenceError("another horizon"), Reason.INPUT_INVALID),
        (TransportError("the sender did not respond"), Reason.INPUTS_UNAVAILABLE),
        (ConflictError("the document is unknown"), Reason.INPUTS_UNAVAILABLE),
        (ConfigError("no key"), Reason.INTERNAL_FAULT),
        (FatalError("the disk is full"), Reason.INTERNAL_FAULT),
        (KeyError("6305000001"), Reason.INTERNAL_FAULT),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.label,
)
def test_rules_v1_12_every_error_has_its_reason(error: Exception, reason: Reason) -> None:
    assert reason_for(error) is reason


def test_the_details_of_a_services_error_are_not_its_words() -> None:
    error = ConflictError("rejected with 403: <its words>", code="worker.unknown")
    assert detail_for(error) == "rejected (worker.unknown); the log has the details"


def test_the_details_of_an_internal_error_are_its_type() -> None:
    assert detail_for(KeyError("6305000001")) == "KeyError"


def test_the_details_of_a_rejected_document_are_its_first_faults() -> None:
    detail = detail_for(DocumentFault("document", FAULTS, more=4))
    assert all(f"limit.{index}" in detail for index in range(5))
    assert "limit.5" not in detail
    assert detail.endswith("; and 6 more")
    assert detail_for(DocumentFault("document", FAULTS[:1])) == str(FAULTS[0])
