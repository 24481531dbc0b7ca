"""Searches the memory of running processes, as a debugger or a core dump would show it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

_PIECE: Final = 1 << 24
_OVERLAP: Final = 64
_REGION: Final = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (r\S+) \S+ \S+ \S+\s*(.*)")
_NMI: Final = re.compile(
    rb"630[56][0-9]{6}|6\x00{1,3}3\x00{1,3}0\x00{1,3}[56](?:\x00{1,3}[0-9]){6}"
)
"""The demo's NMIs: 8 bits a character as in a file, or 16 or 32 as in memory of other programs."""


def nmis_in(data: bytes) -> set[str]:
    """What looks like an NMI of the demo's blocks; a checksum would stand behind it."""
    return {match.replace(b"\x00", b"").decode() for match in _NMI.findall(data)}


def nmis_in_memory(pid: int) -> tuple[set[str], int]:
    """What looks like an NMI in a process's memory and its children's, and the bytes searched."""
    found: set[str] = set()
    size = 0
    for each in (pid, *_descendants(pid)):
        for piece in _pieces(each):
            found |= nmis_in(piece)
            size += len(piece)
    return found, size


def _pieces(pid: int) -> Iterator[bytes]:
    """All data, in pieces that overlap; memory that is given back meanwhile is missed."""
    try:
        maps = Path(f"/proc/{pid}/maps").read_text("ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in maps.splitlines():
            region = _REGION.fullmatch(line)
            if (
                region is None
                or region[4] in {"[vvar]", "[vsyscall]"}
                or _is_code(*region.groups())
            ):
                continue
            start, end = int(region[1], 16), int(region[2], 16)
            for at in range(start, end, _PIECE - _OVERLAP):
                with suppress(OSError, ValueError, OverflowError):
                    memory.seek(at)
                    yield memory.read(min(_PIECE, end - at)) or b""


def _is_code(_start: str, _end: str, access: str, file: str) -> bool:
    """Whether a region is part of a program or library: most of a process, and none of its data."""
    return ("w" not in access and ".so" in file) or "x" in access


def _descendants(pid: int) -> list[int]:
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            words = path.read_text("ascii", errors="replace").rpartition(")")[2].split()
            parents[int(path.parent.name)] = int(words[1])
    found = [child for child, parent in parents.items() if parent == pid]
    return found + [deeper for child in found for deeper in _descendants(child)]
