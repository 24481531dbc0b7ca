"""The checking process: reads one job from standard input, checks the document, and ends.

Guarantees: its limit on memory holds before anything is read; it ends when its parent does; it
writes the document's summary and nothing else, and answers with no NMI.

    python -m oepnode.adapters.computing.check_child LIMIT_MB
"""

from __future__ import annotations

import os
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from oepnode.adapters.computing.child import (
    end_with_parent,
    limit_memory,
    read_exactly,
    separate_output,
)

if TYPE_CHECKING:
    from oepnode.adapters.computing.check_messages import Checked, CheckJob
    from oepnode.domain.nem.quantities import Feed
    from oepnode.domain.rounds.inputs.assigned_spans import Assigned
    from oepnode.domain.rounds.inputs.document_summary import Summary
    from oepnode.domain.rounds.inputs.envelope_document import Document

_LENGTH_SIZE: Final = 4  # as of `messages`, which is imported under the limit
_OWNER_FILE: Final = 0o600


def main() -> None:
    """Check the document of the job on standard input."""
    sys.excepthook = lambda *_: None
    limit_memory(int(sys.argv[1]) << 20)
    out = separate_output()
    body = read_exactly(int.from_bytes(read_exactly(_LENGTH_SIZE)))
    threading.Thread(target=end_with_parent, daemon=True).start()

    from oepnode.adapters.computing.messages import failure, frame

    def send(message: Any) -> None:  # noqa: ANN401 - an answer
        view = memoryview(frame(message))
        while view:
            view = view[os.write(out, view) :]

    try:
        send(_check(_decoded(body)))
    except BaseException as exc:
        if isinstance(exc, MemoryError):
            exc.__traceback__ = None  # its frames hold all that was allocated
        send(failure(exc, "check.memory_limit_mb"))
        os._exit(1)
    os._exit(0)


def _decoded(body: bytes) -> CheckJob:
    """The job; a library that finds no memory fails in other ways than by a MemoryError."""
    try:
        from oepnode.adapters.computing.check_messages import decode_check_job

        import_module("polars").Series([0])
    except Exception as exc:
        raise MemoryError from exc
    return decode_check_job(body)


def _check(job: CheckJob) -> Checked:
    from oepnode.adapters.computing.check_messages import Checked
    from oepnode.adapters.storage.document_file import FileSource
    from oepnode.domain.edge.envelopes.publication import Background, check_publication
    from oepnode.domain.rounds.inputs.document_summary import encode_summary

    background = Background(
        policy=job.policy,
        opened_at=job.opened_at,
        previous=_read_summary(job.previous_summary),
        previous_document=_read_document(job.previous_document, job.feed),
        assigned=_read_registry(job.registry),
    )
    source = FileSource(Path(job.document))
    checked = check_publication(source, job.feed, background, message_id=job.message_id)
    summary = checked.summary
    if summary is not None:
        _write(Path(job.summary), encode_summary(summary))
    return Checked(
        system=checked.system,
        transaction=checked.transaction,
        facts=checked.facts,
        horizon_start=0 if summary is None else summary.horizon_start,
        interval_count=0 if summary is None else summary.interval_count,
    )


def _read_summary(path: str | None) -> Summary | None:
    from oepnode.domain.rounds.inputs.document_summary import decode_summary

    return None if path is None else decode_summary(Path(path).read_bytes())


def _read_document(path: str | None, feed: Feed) -> Document | None:
    """The document before, where it is JSON; limits of other forms are not compared."""
    from oepnode.adapters.storage.document_file import FileSource
    from oepnode.domain.documents.sources import read_all
    from oepnode.domain.rounds.inputs.document_readers import is_plain_json
    from oepnode.domain.rounds.inputs.envelope_document import parse_document

    source = None if path is None else FileSource(Path(path))
    if source is None or not is_plain_json(source):
        return None
    return parse_document(read_all(source), feed)


def _read_registry(path: str | None) -> Assigned | None:
    from oepnode.domain.rounds.inputs.assigned_spans import parse_assigned

    return None if path is None else parse_assigned(Path(path).read_bytes())


def _write(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_FILE)
    with os.fdopen(handle, "wb") as file:
        file.write(data)


if __name__ == "__main__":
    main()
