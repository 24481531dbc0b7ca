"""The summaries of the newest documents, which the next one is compared with.

Guarantees: a summary under a document's digest is complete; only the newest few are kept. Like the
documents, they hold NMIs, or tokens in blind mode.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Final

from oepnode.adapters.storage.digest_files import make_folder

_KEPT: Final = 4
_INCOMING: Final = "incoming-"


class Summaries:
    """A folder of summaries.

    Args:
        folder: The folder; created if missing.
    """

    def __init__(self, folder: Path) -> None:
        make_folder(folder)
        for leftover in folder.glob(f"{_INCOMING}*"):
            leftover.unlink(missing_ok=True)
        self._folder = folder

    def incoming(self) -> Path:
        """A path for a summary that is about to be written."""
        return self._folder / f"{_INCOMING}{secrets.token_hex(8)}"

    def keep(self, incoming: Path, digest: bytes) -> None:
        """Keep a summary that was written, and forget the oldest."""
        incoming.rename(self._folder / digest.hex())
        files = sorted(self._folder.iterdir(), key=lambda file: file.stat().st_mtime_ns)
        for file in files[:-_KEPT]:
            file.unlink(missing_ok=True)

    def of(self, digest: bytes) -> Path | None:
        """The summary of a document, or None."""
        path = self._folder / digest.hex()
        return path if path.is_file() else None
