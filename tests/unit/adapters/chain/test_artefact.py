"""The committed artefacts belong to the committed sources.

Compiling again is left to `scripts/build-contracts --check`, which needs the compiler.
"""

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[4]
ARTEFACTS = [
    json.loads((ROOT / f"src/oepnode/adapters/abi/{name}.json").read_text("utf-8"))
    for name in ("OepConsensus", "OepInclusion")
]
of_each = pytest.mark.parametrize("artefact", ARTEFACTS, ids=lambda one: one["contract"])
SOURCES = sorted(path.relative_to(ROOT / "contracts") for path in ROOT.glob("contracts/src/*.sol"))


def test_every_source_is_in_an_artefact() -> None:
    compiled = {source for artefact in ARTEFACTS for source in artefact["sources"]}
    assert compiled == {path.as_posix() for path in SOURCES}


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_source_is_the_one_that_was_compiled(path: Path) -> None:
    text = (ROOT / "contracts" / path).read_bytes()
    digest = hashlib.sha256(text).hexdigest()
    for artefact in ARTEFACTS:
        compiled = artefact["sources"].get(path.as_posix(), digest)
        assert compiled == digest, "run scripts/build-contracts"


@of_each
def test_settings_are_those_that_forge_tests_with(artefact: dict[str, Any]) -> None:
    toml = (ROOT / "contracts/foundry.toml").read_text("utf-8")
    profile = tomllib.loads(toml)["profile"]["default"]
    assert artefact["settings"] == {
        "evmVersion": profile["evm_version"],
        "metadata": {"bytecodeHash": profile["bytecode_hash"]},
        "optimizer": {"enabled": profile["optimizer"], "runs": profile["optimizer_runs"]},
        "viaIR": profile["via_ir"],
    }


@of_each
def test_compiler_is_the_pinned_one(artefact: dict[str, Any]) -> None:
    package = json.loads((ROOT / "hardhat-free-devnet/package.json").read_text("utf-8"))
    assert artefact["compiler"].startswith(package["dependencies"]["solc"] + "+")


@of_each
def test_code_is_complete_and_within_the_limit_of_evm_chains(artefact: dict[str, Any]) -> None:
    deployed = bytes.fromhex(artefact["deployedBytecode"][2:])
    assert 0 < len(deployed) <= 24_576  # EIP-170
    assert deployed in bytes.fromhex(artefact["bytecode"][2:])
