"""Tasks in forked processes: results in order, what ends them, and the files that they leave."""

from __future__ import annotations

import os
import resource
import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from oepnode.adapters.computing import processes
from oepnode.adapters.computing.processes import ForkedProcesses, usable_cores
from oepnode.adapters.computing.spill import Spill
from oepnode.errors import ComputationFault, DigestMismatch


@pytest.fixture
def spill(tmp_path: Path) -> Iterator[Spill]:
    with Spill(tmp_path / "spill") as spill:
        yield spill


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("count", [0, 1, 2, 3, 40])
@pytest.mark.parametrize("number", [1, 2, 5])
def test_results_are_in_the_order_of_their_tasks(spill: Spill, count: int, number: int) -> None:
    known = {"factor": 7}

    def task(at: int) -> tuple[int, int]:
        time.sleep(0.02 if at % 3 == 0 else 0)
        return at * known["factor"], os.getpid()

    results = list(ForkedProcesses(spill, number).run(task, count))
    assert [value for value, _ in results] == [at * 7 for at in range(count)]
    pids = {pid for _, pid in results}
    if count > 1 and number > 1:
        assert os.getpid() not in pids
        assert not any(is_alive(pid) for pid in pids)
    else:
        assert pids <= {os.getpid()}


def test_what_a_task_keeps_is_read_here(spill: Spill) -> None:
    workshop = ForkedProcesses(spill, 2)

    def task(at: int) -> list[int]:
        return [workshop.append(f"s-{at}", memoryview(bytes([at]) * 9)) for _ in range(3)]

    assert list(workshop.run(task, 4)) == [[0, 9, 18]] * 4
    assert workshop.read("s-3", 8, 3) == bytes([3] * 3)
    for path in spill.folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(spill.folder.stat().st_mode) == 0o700
    with pytest.raises(OSError, match="ends at 27"):
        workshop.read("s-3", 20, 9)


def test_the_folder_is_gone_at_the_end_and_what_was_left_at_the_beginning(tmp_path: Path) -> None:
    folder = tmp_path / "spill"
    folder.mkdir()
    (folder / "left").write_text("x")
    with Spill(folder) as spill:
        assert list(folder.iterdir()) == []
        spill.append("a", memoryview(b"1"))
    assert not folder.exists()


def test_an_error_of_a_task_is_raised_here_and_ends_the_others(spill: Spill) -> None:
    def task(at: int) -> int:
        if at == 1:
            raise DigestMismatch("a document", bytes(32), bytes(32))
        time.sleep(30)
        return at

    began = time.monotonic()
    with pytest.raises(DigestMismatch):
        list(ForkedProcesses(spill, 2).run(lambda at: task(at + 1), 2))
    assert time.monotonic() - began < 10


def test_a_message_of_an_unexpected_error_does_not_cross(spill: Spill) -> None:
    def task(at: int) -> int:
        raise KeyError(f"6305888444 {at}")

    with pytest.raises(ComputationFault) as caught:
        list(ForkedProcesses(spill, 2).run(task, 2))
    assert "6305888444" not in str(caught.value)


def test_a_process_that_is_killed_is_a_fault_and_no_result_is_lost(spill: Spill) -> None:
    def task(at: int) -> int:
        if at == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return at

    with pytest.raises(ComputationFault, match="memory may be short"):
        list(ForkedProcesses(spill, 2).run(task, 10))


def test_leaving_early_ends_the_processes(spill: Spill, tmp_path: Path) -> None:
    def task(at: int) -> int:
        (tmp_path / str(os.getpid())).touch()
        if at:
            time.sleep(60)
        return at

    results = ForkedProcesses(spill, 2).run(task, 3)
    assert next(results) == 0
    results.close()  # type: ignore[attr-defined]
    assert not any(is_alive(int(path.name)) for path in tmp_path.glob("[0-9]*"))


def test_memory_is_shared_out_and_short_memory_is_a_memory_error(
    spill: Spill, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = processes._data_size()
    assert used is not None
    before = resource.getrlimit(resource.RLIMIT_DATA)

    def task(at: int) -> int:
        return len(bytearray(300 << 20)) if at == 1 else 0

    assert list(ForkedProcesses(spill, 2).run(task, 2)) == [0, 300 << 20]
    monkeypatch.setattr(
        resource, "getrlimit", lambda _: (used + (600 << 20), resource.RLIM_INFINITY)
    )
    monkeypatch.setattr(processes, "_soft_limit", lambda _: _nothing())
    with pytest.raises(MemoryError):
        list(ForkedProcesses(spill, 2).run(task, 2))
    monkeypatch.undo()
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


class _nothing:  # noqa: N801 - stands for a context manager
    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def test_work_beside_is_waited_for_and_raises_here(spill: Spill) -> None:
    workshop = ForkedProcesses(spill, 2)
    assert workshop.beside(lambda: 5)() == 5

    def fail() -> int:
        raise ValueError("x")

    wait = workshop.beside(fail)
    with pytest.raises(ValueError, match="x"):
        wait()


def test_there_is_a_core() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)
