"""Folders and files for one user: modes 0700 and 0600.

Guarantees: what is made here is made with these modes, whatever the process's umask.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Final

from oepnode.errors import ConfigError, FatalError

FOLDER_MODE: Final = 0o700
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def private_folder(path: Path) -> None:
    """Make a folder and its missing parents with mode 0700; an existing one stays as it is.

    Raises:
        FatalError: If it cannot be made.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        for folder in reversed(missing):
            folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
    except OSError as exc:
        raise FatalError(f"{path}: cannot be made: {exc.strerror}") from exc


def check_private(path: Path, setting: str) -> None:
    """Check that no other user can enter or read a folder or a file; a missing one is fine.

    Raises:
        ConfigError: If others can; the message has the fix.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return
    except OSError as exc:
        raise ConfigError(f"{path}: cannot be read ({setting}): {exc.strerror}") from exc
    if mode & _OTHERS:
        raise ConfigError(
            f"{path}: mode {mode:04o} opens it to other users of this machine ({setting}); "
            f"run: chmod -R go= {path}"
        )
