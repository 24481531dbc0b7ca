"""Pairs of ballots that one member signed for one round, as ``<folder>/round-<number>.ballots``.

Guarantees: a pair is on disk before `EvidenceFiles.keep` returns, and is stored once. A file is the
input of ``oepnode relay report-equivocation``. Leaves out checking the signatures, and reporting on
chain: that costs gas, and is an operator's decision.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from oepnode.adapters.storage.digest_files import OWNER_FILE, close_to_others, make_folder
from oepnode.domain.rounds.signed_ballots import Relayed, encode
from oepnode.errors import FatalError

_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_APPEND


class EvidenceFiles:
    """A folder with a file for each round in which a member signed two ballots.

    Args:
        folder: The folder; created if missing.

    Raises:
        ConfigError: If the folder cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        make_folder(folder)
        for file in folder.iterdir():
            close_to_others(file, OWNER_FILE)
        self._folder = folder

    def keep(self, first: Relayed, second: Relayed) -> None:
        """Store two ballots of one member and round, checked by the caller.

        Raises:
            FatalError: If they cannot be written.
        """
        path = self._folder / f"round-{first.context.number}.ballots"
        lines = [encode(first), encode(second)]
        try:
            with os.fdopen(os.open(path, _FLAGS, OWNER_FILE), "rb+") as file:
                text = file.read()
                complete = text[: text.rfind(b"\n") + 1]
                file.truncate(len(complete))  # a line that a crash cut off would spoil the file
                known = complete.splitlines()
                file.write(b"".join(line + b"\n" for line in lines if line not in known))
                file.flush()
                os.fsync(file.fileno())
        except OSError as exc:
            raise FatalError(f"{path}: evidence cannot be written: {exc.strerror}") from exc
