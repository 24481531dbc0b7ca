"""Messages between the worker and a computing process: a length, and MessagePack.

Guarantees: a message of either side is bounded; errors cross as their family and the parts of
their message, which hold no NMI, salt or key, and never as the text of an unexpected exception.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct

from oepnode.domain.nem.quantities import Feed
from oepnode.errors import (
    ComputationFault,
    DigestMismatch,
    DocumentFault,
    EvidenceError,
    Finding,
    OepError,
    location_of,
)
from oepnode.ports import Outcome, RoundTask

LENGTH_SIZE: Final = 4
MAX_MESSAGE: Final = 2**24
_FAULT: Final = "computing failed: "


class SentDocument(Struct, frozen=True):
    """A document for a computing process.

    Attributes:
        size: Number of bytes.
        path: The file that has them; empty where they follow the job.
    """

    size: int
    path: str = ""


class ClusterAddress(Struct, frozen=True):
    """A Dask cluster.

    Attributes:
        scheduler: URL of its scheduler, ``tls://`` or ``tcp://``.
        ca_file: Certificate authority of all its machines, or empty.
        cert_file: This worker's certificate, or empty.
        key_file: Its private key, or empty.
        shares_documents: Whether Dask workers read documents at the same path.
    """

    scheduler: str
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    shares_documents: bool = False


class Job(Struct, frozen=True):
    """The first message to a computing process; documents that are not in files follow.

    Attributes:
        task: The round.
        salt: The snapshot's salt.
        feed: Settings for reading the document.
        envelope: The envelope document.
        registry: The registry snapshot.
        sealed_folder: Folder for the sealed bundles, as a path.
        archive_folder: Folder for the sealed inputs, or None.
        archive_key: The auditor's public key, or None.
        spill_folder: Folder for entries, as a path.
        processes: Processes to compute with.
        cluster: The Dask cluster to compute with, or None.
    """

    task: RoundTask
    salt: bytes
    feed: Feed
    envelope: SentDocument
    registry: SentDocument
    sealed_folder: str
    archive_folder: str | None
    archive_key: bytes | None
    spill_folder: str
    processes: int
    cluster: ClusterAddress | None = None

    def __repr__(self) -> str:
        return f"Job(round {self.task.number})"


class Staged(Struct, frozen=True, tag=True):
    """A stage of the computation has begun."""

    stage: str


class Done(Struct, frozen=True, tag=True):
    """The outcome is known; sealing follows."""

    outcome: Outcome


class Failed(Struct, frozen=True, tag=True):
    """There is no outcome.

    Attributes:
        family: ``digest``, ``document``, ``evidence`` or ``fault``.
        text: What is wrong, or the name of the document.
        expected: Of a digest: the one required.
        received: Of a digest: that of the bytes.
        faults: The document's first faults.
        more: Number of further faults.
    """

    family: str
    text: str
    expected: bytes = b""
    received: bytes = b""
    faults: Sequence[Finding] = ()
    more: int = 0


class Sealed(Struct, frozen=True, tag=True):
    """Sealing has ended.

    Attributes:
        bundles: Number of sealed bundles.
        skipped: Why partitions were skipped.
        archive_error: Why the inputs were not archived, or empty.
    """

    bundles: int
    skipped: Sequence[str] = ()
    archive_error: str = ""


Message: TypeAlias = Staged | Done | Failed | Sealed

_encoder = msgspec.msgpack.Encoder()
_message_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)
_job_decoder = msgspec.msgpack.Decoder(Job)


def frame(value: Struct) -> bytes:
    """A message with its length in front."""
    body = _encoder.encode(value)
    return len(body).to_bytes(LENGTH_SIZE) + body


def decode_job(body: bytes) -> Job:
    """A job from its bytes, without the length."""
    return _job_decoder.decode(body)


def decode_message(body: bytes) -> Message:
    """A message from its bytes, without the length.

    Raises:
        ComputationFault: If they are no message.
    """
    try:
        return _message_decoder.decode(body)
    except msgspec.DecodeError as exc:
        raise ComputationFault("the computing process sent something else than messages") from exc


def failure(error: BaseException, limit: str = "compute.memory_limit_mb") -> Failed:
    """An error as a message.

    Args:
        error: The error.
        limit: The setting that limits the process's memory.
    """
    match error:
        case DigestMismatch():
            return Failed("digest", error.what, error.expected, error.received)
        case DocumentFault():
            return Failed("document", error.what, faults=error.faults, more=error.more)
        case EvidenceError():
            return Failed("evidence", str(error))
        case ComputationFault():  # its words are this package's
            return Failed("fault", str(error).removeprefix(_FAULT))
        case MemoryError():
            return Failed("fault", f"out of memory: the limit is {limit}")
        case _:
            return Failed("fault", f"{type(error).__name__} at {location_of(error)}")


def error_of(failed: Failed) -> OepError:
    """The error that a message stands for."""
    match failed.family:
        case "digest":
            return DigestMismatch(failed.text, failed.expected, failed.received)
        case "document":
            return DocumentFault(failed.text, failed.faults, failed.more)
        case "evidence":
            return EvidenceError(failed.text)
        case _:
            return ComputationFault(_FAULT + failed.text)
