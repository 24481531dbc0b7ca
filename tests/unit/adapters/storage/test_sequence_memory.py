"""A worker's memory of sequence numbers: replays are rejected, repeats and reorganisations not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from oepnode.adapters.storage.sequence_memory import SequenceMemory
from oepnode.domain.rounds.inputs.document_signatures import SignatureFault
from tests.support.signed_documents import OTHER, statement

OLD = statement(b"yesterday's", 10)
NEW = statement(b"today's", 20)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[SequenceMemory]:
    memory = SequenceMemory(tmp_path / "worker" / "sequences.sqlite")
    yield memory
    memory.close()


def test_rising_numbers_are_accepted_and_a_lower_one_is_a_replay(memory: SequenceMemory) -> None:
    memory.accept(OLD, 1)
    memory.accept(NEW, 2)
    with pytest.raises(SignatureFault, match=r"signature\.replayed: .*10, but round 2 had 20"):
        memory.accept(OLD, 3)
    with pytest.raises(SignatureFault, match="replayed"):
        memory.check(OLD)
    memory.check(NEW)
    memory.accept(NEW, 3)  # another round of the same document


def test_a_second_document_with_the_same_number_is_a_replay(memory: SequenceMemory) -> None:
    memory.accept(NEW, 1)
    with pytest.raises(SignatureFault, match="replayed"):
        memory.accept(statement(b"another", 20), 2)


def test_computing_a_round_again_is_no_replay(memory: SequenceMemory) -> None:
    memory.accept(OLD, 1)
    memory.accept(NEW, 2)
    memory.accept(OLD, 1)
    memory.accept(NEW, 2)


def test_after_a_reorganisation_a_round_may_have_an_older_document(memory: SequenceMemory) -> None:
    memory.accept(NEW, 1)
    memory.accept(OLD, 1)
    memory.accept(NEW, 2)


def test_a_rejected_document_is_not_remembered(memory: SequenceMemory) -> None:
    memory.accept(NEW, 1)
    with pytest.raises(SignatureFault):
        memory.accept(OLD, 2)
    memory.accept(statement(b"tomorrow's", 21), 2)
    with pytest.raises(SignatureFault, match="round 2 had 21"):
        memory.accept(NEW, 3)


def test_kinds_and_keys_have_their_own_numbers(memory: SequenceMemory) -> None:
    memory.accept(NEW, 1)
    memory.accept(statement(b"a snapshot", 1, "snapshot"), 2)
    memory.accept(statement(b"yesterday's", 10, key=OTHER), 2)


def test_it_remembers_across_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "sequences.sqlite"
    first = SequenceMemory(path)
    first.accept(NEW, 1)
    first.close()
    second = SequenceMemory(path)
    with pytest.raises(SignatureFault, match="replayed"):
        second.accept(OLD, 2)
    second.close()
