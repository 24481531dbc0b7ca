"""Files that are written atomically."""

import stat
from pathlib import Path

import pytest

from oepnode.adapters.storage.files import FileArchive, write_whole
from oepnode.errors import FatalError


def test_a_file_is_replaced_atomically_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    write_whole(path, b"one")
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [p.name for p in path.parent.iterdir()] == ["b"]


def test_a_crash_while_writing_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f"
    write_whole(path, b"old")

    def broken(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", broken)
    with pytest.raises(FatalError, match="No space left"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"


def test_the_archive_names_files_by_round(tmp_path: Path) -> None:
    FileArchive(tmp_path).put(12, [b"sealed"])
    assert (tmp_path / "round-12.sealed").read_bytes() == b"sealed"
