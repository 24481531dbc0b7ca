"""Opens an envelope document of any form; its first bytes say which.

Source: rules-v1 sections 2 and 5.
"""

from __future__ import annotations

from oepnode.domain.documents.faults import FaultLog
from oepnode.domain.documents.progress import Progress
from oepnode.domain.documents.sources import DocumentSource, read_all, read_start
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.inputs.blocks import DOCUMENT, DocumentReader
from oepnode.domain.rounds.inputs.envelope_reader import read_rows
from oepnode.domain.rounds.inputs.parquet_form import MAGIC
from oepnode.domain.rounds.inputs.row_runs import RowRuns


def open_document(
    source: DocumentSource, feed: Feed, progress: Progress | None = None
) -> DocumentReader:
    """A reader of a document.

    Args:
        source: The exact bytes.
        feed: The feed's settings.
        progress: Progress callback.

    Raises:
        DocumentFault: If the document has no parts that could be read.
    """
    if read_start(source, len(MAGIC)) == MAGIC:
        from oepnode.domain.rounds.inputs.envelope_parquet import ParquetDocument

        return ParquetDocument(source, feed)
    log = FaultLog(DOCUMENT)
    rows = read_rows(read_all(source), log, feed, progress)
    log.raise_if_any()
    return RowRuns(rows, log)
