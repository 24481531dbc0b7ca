"""The committed artefact belongs to the committed sources.

Compiling again is left to `scripts/build-contracts --check`, which needs the compiler.
"""

import hashlib
import json
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]
ARTEFACT = json.loads((ROOT / "src/oepnode/adapters/abi/OepConsensus.json").read_text("utf-8"))
SOURCES = sorted(path.relative_to(ROOT / "contracts") for path in ROOT.glob("contracts/src/*.sol"))


def test_every_source_is_in_the_artefact() -> None:
    assert sorted(ARTEFACT["sources"]) == [path.as_posix() for path in SOURCES]


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_source_is_the_one_that_was_compiled(path: Path) -> None:
    text = (ROOT / "contracts" / path).read_bytes()
    assert ARTEFACT["sources"][path.as_posix()] == hashlib.sha256(text).hexdigest(), (
        "run scripts/build-contracts"
    )


def test_settings_are_those_that_forge_tests_with() -> None:
    toml = (ROOT / "contracts/foundry.toml").read_text("utf-8")
    profile = tomllib.loads(toml)["profile"]["default"]
    assert ARTEFACT["settings"] == {
        "evmVersion": profile["evm_version"],
        "metadata": {"bytecodeHash": profile["bytecode_hash"]},
        "optimizer": {"enabled": profile["optimizer"], "runs": profile["optimizer_runs"]},
        "viaIR": profile["via_ir"],
    }


def test_compiler_is_the_pinned_one() -> None:
    package = json.loads((ROOT / "hardhat-free-devnet/package.json").read_text("utf-8"))
    assert ARTEFACT["compiler"].startswith(package["dependencies"]["solc"] + "+")


def test_code_is_complete_and_within_the_limit_of_evm_chains() -> None:
    deployed = bytes.fromhex(ARTEFACT["deployedBytecode"][2:])
    assert 0 < len(deployed) <= 24_576  # EIP-170
    assert deployed in bytes.fromhex(ARTEFACT["bytecode"][2:])
