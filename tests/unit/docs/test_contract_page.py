"""docs/contract.md names tests and guarantees that there are."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/contract.md").read_text("utf-8")
TESTS = {
    path.name.removesuffix(".t.sol"): path.read_text("utf-8")
    for path in ROOT.glob("contracts/test/*.t.sol")
}
SOURCE = (ROOT / "contracts/src/OepConsensus.sol").read_text("utf-8")


def threat_table_tests() -> list[tuple[str, str]]:
    """Every (file, test) of the threat table; an empty test stands for the whole file."""
    found = []
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) != 5:
            continue
        file = ""
        for quoted in re.findall(r"`([^`]+)`", cells[3]):
            name = quoted.partition(": ")
            file, test = (name[0], name[2]) if name[1] or quoted in TESTS else (file, quoted)
            found.append((file, test))
    return [pair for pair in found if pair[0] in TESTS]


@pytest.mark.parametrize(("file", "test"), threat_table_tests(), ids=str)
def test_each_named_test_exists(file: str, test: str) -> None:
    assert re.search(
        rf"function (test_|testFuzz_){test}\(" if test else "function test", TESTS[file]
    )


def test_the_threat_table_is_read() -> None:
    assert len(threat_table_tests()) > 40


def test_every_guarantee_has_its_invariant() -> None:
    numbers = {int(number) for number in re.findall(r"^///  ?(\d+)\. ", SOURCE, re.MULTILINE)}
    invariants = {
        int(number) for number in re.findall(r"function invariant_G(\d+)_", TESTS["Guarantees"])
    }
    assert numbers == invariants == set(range(1, 14))


def test_named_guarantees_exist() -> None:
    assert {int(number) for number in re.findall(r"\bG(\d+)\b", PAGE)} <= set(range(1, 14))
