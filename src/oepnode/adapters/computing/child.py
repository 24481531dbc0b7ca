"""The computing process: reads one job from standard input, computes, seals, and ends.

Guarantees: its limit on memory holds before anything is read; it is the first that the system ends
when memory is short; it writes nothing unsealed, no core dump, and no message of an unexpected
exception, which could quote an input; it ends when its parent does, and so do its own children.

    python -m oepnode.adapters.computing.child LIMIT_MB MODULE:FUNCTION
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from oepnode.adapters.computing.messages import Job, SentDocument
    from oepnode.adapters.storage.document_file import FileSource
    from oepnode.domain.documents.sources import DocumentBytes
    from oepnode.domain.rounds.computation import Inputs

_IN: Final = 0
_PIECE: Final = 2**20
_ORPHANED: Final = 3
_MOST_EXPENDABLE: Final = "1000"


def main() -> None:
    """Carry out the job on standard input."""
    limit_mb, function = int(sys.argv[1]), sys.argv[2]
    sys.excepthook = lambda *_: None
    limit_memory(limit_mb << 20)
    out = separate_output()

    from oepnode.adapters.computing.messages import failure, frame

    def send(message: Any) -> None:  # noqa: ANN401 - a message
        view = memoryview(frame(message))
        while view:
            view = view[os.write(out, view) :]

    try:
        job, inputs = _read_job()
        threading.Thread(target=end_with_parent, daemon=True).start()
        _carry_out(job, inputs, function, send)
    except BaseException as exc:
        if isinstance(exc, MemoryError):
            exc.__traceback__ = None  # its frames hold all that was allocated
        send(failure(exc))
        os._exit(1)
    os._exit(0)  # without waiting for the thread, or tidying what is gone with the process


def limit_memory(limit: int) -> None:
    """Limit the process's memory, forbid core dumps, and let the system end it first."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
        with suppress(ValueError, OSError):  # not every system has every limit
            resource.setrlimit(kind, (limit, limit))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_MOST_EXPENDABLE, "ascii")


def separate_output() -> int:
    """Take standard output for messages, so that nothing else gets between them."""
    out = os.dup(1)
    os.dup2(2, 1)
    return out


def _read_job() -> tuple[Job, Inputs]:
    from oepnode.adapters.computing.messages import LENGTH_SIZE, decode_job
    from oepnode.domain.rounds.computation import Inputs

    job = decode_job(read_exactly(int.from_bytes(read_exactly(LENGTH_SIZE))))
    envelope: DocumentBytes = _read_document(job.envelope)
    registry = _read_document(job.registry)
    if job.cluster is not None and job.cluster.shares_documents:
        envelope = _shared(envelope)
    return job, Inputs(envelope, registry, job.salt, job.feed)


def _read_document(document: SentDocument) -> bytes | FileSource:
    if not document.path:
        return read_exactly(document.size)

    from oepnode.adapters.storage.document_file import FileSource

    return FileSource(Path(document.path))


def _shared(document: DocumentBytes) -> DocumentBytes:
    """A document in a file, as one that Dask workers open at the same path."""
    from oepnode.domain.documents.sources import SharedSource

    return document if isinstance(document, bytes) else SharedSource(document)


def read_exactly(size: int) -> bytes:
    """Bytes of standard input; the process ends where they do."""
    data = bytearray()
    while len(data) < size:
        piece = os.read(_IN, min(size - len(data), _PIECE))
        if not piece:
            os._exit(_ORPHANED)
        data += piece
    return bytes(data)


def end_with_parent() -> None:
    """End the process when standard input does: the parent is gone, or has lost interest."""
    while os.read(_IN, 1):
        pass
    os._exit(_ORPHANED)


def _carry_out(job: Job, inputs: Inputs, function: str, send: Callable[[Any], None]) -> None:
    from importlib import import_module

    from oepnode.adapters.computing.job import run_job
    from oepnode.adapters.computing.spill import Spill
    from oepnode.adapters.computing.workshops import workshop_of
    from oepnode.adapters.storage.bundle_shelf import SealedFolder
    from oepnode.adapters.storage.files import FileArchive
    from oepnode.adapters.storage.input_archive import seal_inputs

    module, _, name = function.partition(":")
    compute = getattr(import_module(module), name)
    folder, key = job.archive_folder, job.archive_key

    def archive(context: Any, inputs: Inputs) -> None:  # noqa: ANN401 - a round's context
        if folder is not None and key is not None:
            FileArchive(Path(folder)).put(context.number, seal_inputs(key, context, inputs))

    is_archived = folder is not None and key is not None
    with SealedFolder(Path(job.sealed_folder)) as bundles, Spill(Path(job.spill_folder)) as spill:
        archiving = archive if is_archived else None
        with workshop_of(job, spill) as workshop:
            sealed = run_job(job.task, inputs, compute, workshop, send, bundles.put, archiving)
    send(sealed)  # not before the folder is complete: the parent then ends this process


if __name__ == "__main__":
    main()
