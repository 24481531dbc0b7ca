"""The list of accepted survivors: complete entries, without duplicates, none out of date."""

from pathlib import Path

import pytest

from tests.mutation import operators
from tests.mutation.accepted import Accepted, ListError
from tests.mutation.run import ACCEPTED, choose, read_sources
from tests.mutation.source import Source

TEXT = "{ x = a < b; }"
SOURCE = Source("C.sol", TEXT)
ENTRY = """[[accepted]]
file = "C.sol"
original = "{ x = a < b; }"
changed = "{ x = a <= b; }"
reason = "they are never equal"
"""


def read(tmp_path: Path, text: str) -> Accepted:
    path = tmp_path / "accepted.toml"
    path.write_text(text, "utf-8")
    return Accepted.read(path)


def test_an_accepted_survivor_has_its_reason(tmp_path: Path) -> None:
    accepted = read(tmp_path, ENTRY)
    reasons = {m.changed: accepted.reason(m) for m in operators.mutants(SOURCE)}
    assert reasons.pop("{ x = a <= b; }") == "they are never equal"
    assert reasons
    assert set(reasons.values()) == {None}
    accepted.require_current(operators.mutants(SOURCE))


def test_an_entry_out_of_date_is_an_error(tmp_path: Path) -> None:
    accepted = read(tmp_path, ENTRY)
    with pytest.raises(ListError, match=r"no mutant of C\.sol any more"):
        accepted.require_current(operators.mutants(Source("C.sol", "{ y = a < b; }")))


@pytest.mark.parametrize(
    "text",
    [
        ENTRY.replace('reason = "they are never equal"', ""),
        ENTRY.replace("they are never equal", " "),
        ENTRY + 'line = "4"\n',
        ENTRY + ENTRY,
    ],
    ids=["no reason", "empty reason", "unknown field", "duplicate"],
)
def test_malformed_lists_are_rejected(tmp_path: Path, text: str) -> None:
    with pytest.raises(ListError, match=r"accepted\.toml, entry"):
        read(tmp_path, text)


def test_the_contracts_list_is_current() -> None:
    Accepted.read(ACCEPTED).require_current(operators.of_all(read_sources()))


def test_a_seed_gives_one_sample() -> None:
    every = operators.of_all(read_sources())
    assert choose(every, 20, 1) == choose(every, 20, 1) != choose(every, 20, 2)
    assert len(choose(every, 20, 1)) == 20
    assert choose(every, None, 1) == choose(every, 10_000, 1) == every
