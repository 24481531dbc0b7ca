"""Folders for one user, and the check that they are."""

import os
import stat
from pathlib import Path

import pytest

from oepnode.adapters.storage.private import check_private, private_folder
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
