"""Decides with which reason a worker abstains after a failed computation, and in which words.

Guarantees: every error has a reason; the details of an unexpected one are its type alone, because
its message may hold a value of the inputs, and of one that quotes a service its kind and code. Leaves out a round with unknown rules, which is never
computed (``transition``). Source: rules-v1 section 12.
"""

from __future__ import annotations

from typing import Final

from oepnode.domain.rounds.ballot import Reason
from oepnode.errors import (
    ComputationFault,
    ConflictError,
    DigestMismatch,
    DocumentFault,
    EvidenceError,
    TransportError,
)
from oepnode.worker.shown_errors import shown_error

_REPORTED_FAULTS: Final = 5


def reason_for(error: Exception) -> Reason:
    """The reason to abstain that an error of a computation leads to."""
    match error:
        case DigestMismatch():
            return Reason.INPUT_MISMATCH
        case EvidenceError():
            return Reason.INPUT_INVALID
        case TransportError() | ConflictError():
            return Reason.INPUTS_UNAVAILABLE
        case _:
            return Reason.INTERNAL_FAULT


def detail_for(error: Exception) -> str:
    """The details of an abstention, as the worker's status shows them."""
    if isinstance(error, DocumentFault):
        return _first_faults(error)
    if isinstance(error, TransportError | ConflictError):
        return shown_error(error)
    if isinstance(error, ComputationFault):
        return str(error)
    is_internal = reason_for(error) is Reason.INTERNAL_FAULT
    return type(error).__name__ if is_internal else str(error)


def _first_faults(rejection: DocumentFault) -> str:
    first = [str(fault) for fault in rejection.faults[:_REPORTED_FAULTS]]
    more = len(rejection.faults) + rejection.more - len(first)
    return "; ".join(first) + (f"; and {more} more" if more > 0 else "")
