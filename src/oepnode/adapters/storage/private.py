"""Folders and files for one user: modes 0700 and 0600.

Guarantees: what is made here is made with these modes, whatever the process's umask, and a file has
its mode before its first byte.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from oepnode.errors import ConfigError, FatalError

FOLDER_MODE: Final = 0o700
FILE_MODE: Final = 0o600
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_DEVICES: Final = ("/dev/", "/proc/")
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


@contextmanager
def private_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that appears under its name, whole, when the block ends.

    An existing file of any mode is replaced, and stays as it is if the block raises. A symbolic
    link is followed; a device or a pipe is written to directly.

    Raises:
        OSError: If it cannot be written.
    """
    if is_device(path):
        with path.open("wb") as file:
            yield file
        return
    target = _target(path)
    part = target.with_name(f".oepnode-{secrets.token_hex(8)}.part")
    with private_part(part) as file:
        yield file
    try:
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def private_part(part: Path) -> Iterator[BinaryIO]:
    """Open a new file for writing, which is removed if the block raises.

    Raises:
        OSError: If it cannot be written.
    """
    descriptor = os.open(part, _NEW, FILE_MODE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def move_private(part: Path, path: Path) -> None:
    """Give a `private_part` its name, as `private_file` does.

    Raises:
        OSError: If that cannot be written.
    """
    if is_device(path):
        with part.open("rb") as source, path.open("wb") as target:
            shutil.copyfileobj(source, target)
        part.unlink()
    else:
        part.replace(_target(path))


def is_device(path: Path) -> bool:
    """Whether a path is written to directly: a device or a pipe."""
    return str(path).startswith(_DEVICES) or (path.exists() and not path.is_file())


def _target(path: Path) -> Path:
    return path.resolve() if path.is_symlink() else path


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
