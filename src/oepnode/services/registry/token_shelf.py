"""Sealed token lists of blinded snapshots, as ``tokens/<snapshot digest>/<name>``.

Guarantees: a list is complete, and only the registry's account can read its file. A list is sealed,
so that it can be served to anyone. Source: ``docs/spec/bundle.md`` section 6.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from oepnode.adapters.storage.digest_files import make_folder
from oepnode.adapters.storage.files import write_whole

_NAME: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


class TokenShelf:
    """The lists of a registry.

    Args:
        data_dir: The registry's data folder.
    """

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / "tokens"

    def put(self, snapshot: bytes, lists: Mapping[str, bytes]) -> None:
        """Store the lists of a snapshot by their names; those stored before are replaced.

        Raises:
            FatalError: If one cannot be written.
        """
        folder = self._folder / snapshot.hex()
        make_folder(self._folder)
        make_folder(folder)
        for name, sealed in lists.items():
            write_whole(folder / name, sealed)

    def path(self, snapshot: str, name: str) -> Path | None:
        """The file of a list, or None if it is missing or a name is malformed."""
        if not _NAME.fullmatch(snapshot) or not _NAME.fullmatch(name):
            return None
        path = self._folder / snapshot / name
        return path if path.is_file() else None
