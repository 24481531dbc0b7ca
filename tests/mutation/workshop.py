"""Runs Forge's tests on a copy of the contracts, with one mutant after another."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from tests.mutation.operators import Mutant

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = ROOT / "contracts"
SOURCES = CONTRACTS / "src"
LEFT_OUT = "invariant|GasOf|GasWith|CostsTheSame|Campaign"
"""Campaigns take minutes, and gas is another without the optimiser."""
SETTINGS = {
    "FOUNDRY_OPTIMIZER": "false",  # compiles several times as fast
    "FOUNDRY_VIA_IR": "false",
    "FOUNDRY_FUZZ_RUNS": "24",
}
TIMEOUT_S = 600


class Verdict(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    SURVIVED = "survived"
    DISCARDED = "discarded"
    """The compiler rejected it."""


class BaselineError(Exception):
    """The tests do not pass without a mutant."""


class Workshop:
    """A copy of the contracts with its compiled tests; the project's own files stay as they are."""

    def __init__(self, folder: Path) -> None:
        self._contracts = folder / "contracts"

    @classmethod
    def set_up(cls, folder: Path) -> Workshop:
        """Make the copy, compile it, and see its tests pass.

        Raises:
            BaselineError: They do not.
        """
        devnet = (ROOT / "hardhat-free-devnet").resolve()
        folder.mkdir(parents=True)
        (folder / "hardhat-free-devnet").symlink_to(devnet)
        shutil.copytree(ROOT / "docs/spec/vectors", folder / "docs/spec/vectors")
        contracts = folder / "contracts"
        contracts.mkdir()
        for name in ("src", "test"):
            shutil.copytree(CONTRACTS / name, contracts / name)
        shutil.copy(CONTRACTS / "foundry.toml", contracts)
        (contracts / "lib").symlink_to("../hardhat-free-devnet/node_modules")
        workshop = cls(folder)
        code, output = workshop._test()
        if code:
            raise BaselineError(f"the tests fail without a mutant:\n{output[-4_000:]}")
        return workshop

    def copy(self, folder: Path) -> Workshop:
        """Another workshop, with what this one compiled."""
        shutil.copytree(self._contracts.parent, folder, symlinks=True)
        return Workshop(folder)

    def judge(self, mutant: Mutant) -> Verdict:
        """Run the tests with a mutant; a run without end counts as killed."""
        path = self._contracts / "src" / mutant.file
        original = path.read_text("utf-8")
        path.write_text(mutant.apply(original), "utf-8")
        try:
            code, output = self._test()
        finally:
            path.write_text(original, "utf-8")
        if code == 0:
            return Verdict.SURVIVED
        if "Compiler run failed" in output or "Compilation failed" in output:
            return Verdict.DISCARDED
        return Verdict.KILLED

    def _test(self) -> tuple[int, str]:
        command = [
            str(self._contracts.parent / "hardhat-free-devnet/forge"),
            "test",
            "--fail-fast",
            "--no-match-test",
            LEFT_OUT,
        ]
        return _run(command, self._contracts, {**os.environ, **SETTINGS})


def _run(command: list[str], folder: Path, environment: Mapping[str, str]) -> tuple[int, str]:
    """Exit code and output; 124 where the time was up. The compiler ends with its caller."""
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(timeout=TIMEOUT_S)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            if isinstance(error, subprocess.TimeoutExpired):
                return 124, ""
            raise
    return process.returncode, output
