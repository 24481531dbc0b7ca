"""Files that are written atomically."""

import stat
from pathlib import Path

import pytest

from oepnode.adapters.storage.files import FileArchive, FileShelf, write_whole
from oepnode.errors import FatalError

NAME = "ab" * 32


def test_a_file_is_replaced_atomically_and_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    write_whole(path, b"one")
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
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


def test_a_shelf_returns_stored_bundles(tmp_path: Path) -> None:
    shelf = FileShelf(tmp_path)
    shelf.put(3, NAME, [b"sealed"])
    path = shelf.path(3, NAME)
    assert path is not None
    assert path.read_bytes() == b"sealed"
    assert shelf.path(4, NAME) is None
    assert shelf.path(3, "cd" * 32) is None


@pytest.mark.parametrize("name", ["", ".", "..", "../3/" + NAME, NAME.upper(), NAME + "/", "a"])
def test_a_shelf_ignores_malformed_names(tmp_path: Path, name: str) -> None:
    shelf = FileShelf(tmp_path)
    shelf.put(3, NAME, [b"sealed"])
    assert shelf.path(3, name) is None


def test_pruning_drops_old_rounds_only(tmp_path: Path) -> None:
    shelf = FileShelf(tmp_path / "bundles")
    shelf.prune(5)
    for number in (1, 4, 5, 10):
        shelf.put(number, NAME, [b"x"])
    (tmp_path / "bundles" / "notes").mkdir()
    shelf.prune(5)
    assert sorted(p.name for p in (tmp_path / "bundles").iterdir()) == ["10", "5", "notes"]


def test_the_archive_names_files_by_round(tmp_path: Path) -> None:
    FileArchive(tmp_path).put(12, [b"sealed"])
    assert (tmp_path / "round-12.sealed").read_bytes() == b"sealed"
