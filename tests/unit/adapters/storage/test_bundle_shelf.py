"""Sealed bundles on disk: apart until they are published."""

import stat
from pathlib import Path

import pytest

from oepnode.adapters.storage.bundle_shelf import FileShelf, SealedFolder, sealed_folder

NAME = "ab" * 32
INPUTS = b"\x11" * 32


def seal(folder: Path, number: int = 3, inputs: bytes = INPUTS, data: bytes = b"sealed") -> None:
    with SealedFolder(sealed_folder(folder, number, inputs)) as sealed:
        sealed.put(NAME, data)


def test_a_bundle_is_found_once_it_is_published(tmp_path: Path) -> None:
    shelf = FileShelf(tmp_path)
    seal(tmp_path)
    assert shelf.path(3, NAME) is None
    assert shelf.rounds() == []
    assert shelf.publish(3, INPUTS) == 1
    path = shelf.path(3, NAME)
    assert path is not None
    assert path.read_bytes() == b"sealed"
    assert shelf.path(4, NAME) is None
    assert shelf.path(3, "cd" * 32) is None
    assert [line.number for line in shelf.rounds()] == [3]


def test_bundles_of_other_inputs_are_not_published(tmp_path: Path) -> None:
    shelf = FileShelf(tmp_path)
    seal(tmp_path)
    assert shelf.publish(3, b"\x22" * 32) is None
    assert shelf.publish(4, INPUTS) is None
    assert shelf.path(3, NAME) is None


def test_publishing_twice_finds_nothing_and_keeps_what_is_there(tmp_path: Path) -> None:
    shelf = FileShelf(tmp_path)
    seal(tmp_path)
    assert shelf.publish(3, INPUTS) == 1
    assert shelf.publish(3, INPUTS) is None
    assert shelf.path(3, NAME) is not None


def test_bundles_sealed_again_replace_the_earlier_ones(tmp_path: Path) -> None:
    shelf = FileShelf(tmp_path)
    for data in (b"one", b"two"):
        seal(tmp_path, data=data)
        seal(tmp_path, data=data)
        assert shelf.publish(3, INPUTS) == 1
    path = shelf.path(3, NAME)
    assert path is not None
    assert path.read_bytes() == b"two"


def test_a_round_that_is_not_sealed_to_its_end_is_not_there(tmp_path: Path) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        SealedFolder(sealed_folder(tmp_path, 3, INPUTS)) as sealed,
    ):
        sealed.put(NAME, b"half")
        raise ZeroDivisionError
    assert FileShelf(tmp_path).publish(3, INPUTS) is None
    assert list((tmp_path / "sealed").iterdir()) == []


def test_a_discarded_round_is_not_published(tmp_path: Path) -> None:
    shelf = FileShelf(tmp_path)
    seal(tmp_path)
    seal(tmp_path, 33)
    shelf.discard(3)
    assert shelf.publish(3, INPUTS) is None
    assert shelf.publish(33, INPUTS) == 1


def test_deleting_drops_one_round(tmp_path: Path) -> None:
    shelf = FileShelf(tmp_path / "bundles")
    shelf.delete(5)
    for number in (1, 4, 10):
        seal(tmp_path / "bundles", number)
        shelf.publish(number, INPUTS)
    shelf.delete(4)
    assert sorted(line.number for line in shelf.rounds()) == [1, 10]


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../3/" + NAME, NAME.upper(), NAME + "/", "a", "../sealed"]
)
def test_malformed_names_are_ignored(tmp_path: Path, name: str) -> None:
    shelf = FileShelf(tmp_path)
    seal(tmp_path)
    shelf.publish(3, INPUTS)
    assert shelf.path(3, name) is None


def test_folders_and_files_are_for_their_owner(tmp_path: Path) -> None:
    shelf = FileShelf(tmp_path / "data" / "bundles")
    seal(tmp_path / "data" / "bundles")
    seal(tmp_path / "data" / "bundles", 4)
    shelf.publish(3, INPUTS)
    for path in (tmp_path / "data").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
