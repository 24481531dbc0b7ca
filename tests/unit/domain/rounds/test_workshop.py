"""The workshop of one process."""

from __future__ import annotations

from oepnode.domain.rounds.workshop import InProcess


def test_it_does_tasks_in_order_and_keeps_bytes_by_position() -> None:
    workshop = InProcess()
    assert list(workshop.run(lambda at: at * 2, 3)) == [0, 2, 4]
    assert workshop.beside(lambda: 7)() == 7
    starts = [workshop.append("a", memoryview(piece)) for piece in (b"abc", b"", b"de")]
    assert starts == [0, 3, 3]
    assert workshop.append("b", memoryview(b"x")) == 0
    assert workshop.read("a", 1, 2) == b"bc"
    assert workshop.read("a", 3, 2) == b"de"
