"""Folders for one user, and the check that they are."""

import os
import stat
from pathlib import Path

import pytest

from oepnode.adapters.storage.private import check_private, private_file, private_folder
from oepnode.errors import ConfigError, FatalError


def test_a_new_folder_and_its_parents_are_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        private_folder(tmp_path / "a" / "b")
    finally:
        os.umask(before)
    for folder in (tmp_path / "a", tmp_path / "a" / "b"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_an_existing_folder_stays_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    private_folder(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_a_folder_below_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FatalError, match="cannot be made"):
        private_folder(tmp_path / "file" / "a")


def test_a_private_folder_and_a_missing_one_pass(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    check_private(tmp_path, "data_dir")
    check_private(tmp_path / "missing", "data_dir")


@pytest.mark.parametrize("mode", [0o755, 0o710, 0o701, 0o777])
def test_an_open_folder_is_rejected_with_the_fix(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    with pytest.raises(ConfigError) as caught:
        check_private(tmp_path, "data_dir")
    assert f"mode {mode:04o}" in str(caught.value)
    assert f"chmod -R go= {tmp_path}" in str(caught.value)
    assert "data_dir" in str(caught.value)
    tmp_path.chmod(0o700)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_private_before_its_first_byte(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with private_file(tmp_path / "limits.csv") as file:
            (part,) = tmp_path.iterdir()
            assert (mode_of(part), part.stat().st_size) == (0o600, 0)
            file.write(b"nmi")
    finally:
        os.umask(before)
    assert [path.name for path in tmp_path.iterdir()] == ["limits.csv"]
    assert mode_of(tmp_path / "limits.csv") == 0o600


def test_an_open_file_is_replaced_by_a_private_one(tmp_path: Path) -> None:
    path = tmp_path / "limits.csv"
    path.write_bytes(b"old")
    path.chmod(0o666)
    with path.open("rb") as reader, private_file(path) as file:
        file.write(b"secret")
        file.flush()
        assert reader.read() == b"old"  # who holds the old file open reads nothing of the new one
    assert (path.read_bytes(), mode_of(path)) == (b"secret", 0o600)


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "limits.csv"
    path.write_bytes(b"old")
    with pytest.raises(ValueError, match="half"), private_file(path) as file:
        file.write(b"half")
        raise ValueError("half way")
    assert (path.read_bytes(), len(list(tmp_path.iterdir()))) == (b"old", 1)


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with private_file(tmp_path / "link") as file:
        file.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert ((tmp_path / "real").read_bytes(), mode_of(tmp_path / "real")) == (b"new", 0o600)


def test_a_device_is_written_to() -> None:
    with private_file(Path("/dev/null")) as file:
        file.write(b"x")
    assert Path("/dev/null").is_char_device()


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError), private_file(tmp_path):
        pytest.fail("it was opened")
