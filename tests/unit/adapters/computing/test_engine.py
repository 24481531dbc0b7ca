"""Computing processes: real ones, with real limits."""

import asyncio
import os
import stat
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from oepnode.adapters.computing.engine import COMPUTE, EngineSettings, ProcessEngine
from oepnode.adapters.computing.job import outcome_of
from oepnode.adapters.crypto import sealing
from oepnode.adapters.crypto.hpke import PrivateKey
from oepnode.adapters.storage.bundle_shelf import FileShelf
from oepnode.adapters.storage.document_file import FileSource
from oepnode.adapters.storage.input_archive import open_inputs
from oepnode.domain.rounds import bundle, bundle_reading
from oepnode.domain.rounds.computation import Inputs, compute
from oepnode.domain.rounds.recipient_keys import KeyKind
from oepnode.errors import (
    ComputationFault,
    DigestMismatch,
    DocumentFault,
    EvidenceError,
    OepError,
)
from oepnode.ports import RoundTask
from tests.support.odd_computations import MARK
from tests.support.round_world import CONTEXT, ENVELOPE, INPUTS, PRIVATE, PUBLIC, RESULT, opened

ODD = "tests.support.odd_computations:"
pytestmark = pytest.mark.usefixtures("tests_importable")
OPERATOR = b"\xa0" * 20
TASK = RoundTask(CONTEXT, opened(), OPERATOR)
AUDITOR = PrivateKey(KeyKind.HYBRID, b"\x05" * 32)


def settings(folder: Path, function: str = COMPUTE) -> EngineSettings:
    return EngineSettings(
        memory_limit_mb=512,
        timeout_s=60,
        bundles=folder / "bundles",
        spill=folder / "spill",
        archive=folder / "archive",
        archive_key=AUDITOR.public_key,
        function=function,
    )


@asynccontextmanager
async def engine_of(of: EngineSettings) -> AsyncIterator[ProcessEngine]:
    engine = ProcessEngine(of)
    try:
        yield engine
    finally:
        await engine.close()


async def fault_of(of: EngineSettings, task: RoundTask = TASK, inputs: Inputs = INPUTS) -> OepError:
    async with engine_of(of) as engine:
        with pytest.raises(OepError) as caught:
            await engine.compute(task, inputs, lambda _: None)
    return caught.value


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def until_marked(mark: Path) -> int:
    """The process id that a computation leaves."""
    async with asyncio.timeout(20):
        while not mark.exists() or not mark.read_text():
            await asyncio.sleep(0.02)
    return int(mark.read_text())


async def test_the_outcome_is_that_of_computing_here(tmp_path: Path) -> None:
    stages: list[str] = []
    async with engine_of(settings(tmp_path)) as engine:
        outcome = await engine.compute(TASK, INPUTS, stages.append)
    assert outcome == outcome_of(TASK, compute(INPUTS, CONTEXT, opened()))
    assert outcome.result == RESULT.result
    assert len(stages) == len(set(stages)) >= 2


async def test_bundles_and_inputs_are_sealed_and_wait(tmp_path: Path) -> None:
    shelf = FileShelf(tmp_path / "bundles")
    async with engine_of(settings(tmp_path)) as engine:
        await engine.compute(TASK, INPUTS, lambda _: None)
        await engine.sealed(TASK.number)
        await engine.sealed(TASK.number + 1)
    names = {name: bundle.bundle_name(CONTEXT, key) for name, key in PUBLIC.items()}
    assert [shelf.path(TASK.number, name) for name in names.values()] == [None] * len(names)
    assert shelf.publish(TASK.number, TASK.opened.inputs) == len(names)
    for owner, key in PRIVATE.items():
        path = shelf.path(TASK.number, names[owner])
        assert path is not None
        plain = sealing.open_whole(key, path.read_bytes(), bundle.sealing_info(CONTEXT))
        bundle_reading.verify(plain, owner, CONTEXT, RESULT.root, RESULT.partition_count)
    archive = tmp_path / "archive" / f"round-{TASK.number}.sealed"
    assert open_inputs(AUDITOR, archive.read_bytes(), CONTEXT) == INPUTS


async def test_nothing_is_on_disk_in_the_clear_or_for_others(tmp_path: Path) -> None:
    async with engine_of(settings(tmp_path)) as engine:
        await engine.compute(TASK, INPUTS, lambda _: None)
        await engine.sealed(TASK.number)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 4
    for path in files:
        data = path.read_bytes()
        assert b"6305000001" not in data
        assert INPUTS.salt not in data and INPUTS.salt.hex().encode() not in data
    for path in tmp_path.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


async def test_other_bytes_than_the_rounds_are_a_digest_mismatch(tmp_path: Path) -> None:
    inputs = Inputs(ENVELOPE + b" ", INPUTS.registry, INPUTS.salt, INPUTS.feed)
    error = await fault_of(settings(tmp_path), inputs=inputs)
    assert isinstance(error, DigestMismatch)
    assert error.expected == TASK.opened.envelope_digest
    assert error.what == "envelope document"


async def test_another_horizon_is_a_document_fault(tmp_path: Path) -> None:
    task = RoundTask(CONTEXT, replace(opened(), interval_count=7), OPERATOR)
    error = await fault_of(settings(tmp_path), task)
    assert isinstance(error, DocumentFault)
    assert [fault.code for fault in error.faults] == ["horizon.mismatch"]


async def test_other_rules_are_evidence(tmp_path: Path) -> None:
    task = RoundTask(CONTEXT, replace(opened(), rules_version=2), OPERATOR)
    error = await fault_of(settings(tmp_path), task)
    assert type(error) is EvidenceError
    assert "rules version" in str(error)


async def test_too_much_memory_is_a_fault_that_names_the_setting(tmp_path: Path) -> None:
    error = await fault_of(settings(tmp_path, ODD + "hungry"))
    assert isinstance(error, ComputationFault)
    assert "out of memory" in str(error)
    assert "compute.memory_limit_mb" in str(error)


async def test_a_killed_process_is_a_fault(tmp_path: Path) -> None:
    error = await fault_of(settings(tmp_path, ODD + "killed"))
    assert isinstance(error, ComputationFault)
    assert "SIGKILL" in str(error)


async def test_an_unknown_function_is_a_fault(tmp_path: Path) -> None:
    error = await fault_of(settings(tmp_path, "oepnode.nothing:here"))
    assert isinstance(error, ComputationFault)


async def test_an_unexpected_error_quotes_no_input(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    error = await fault_of(settings(tmp_path, ODD + "indiscreet"))
    assert isinstance(error, ComputationFault)
    assert "KeyError" in str(error)
    assert INPUTS.salt.hex() not in str(error)
    assert INPUTS.salt.hex() not in "".join(capfd.readouterr())


async def test_a_process_that_takes_too_long_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "pid"
    monkeypatch.setenv(MARK, str(mark))
    error = await fault_of(replace(settings(tmp_path, ODD + "sleepy"), timeout_s=3))
    assert isinstance(error, ComputationFault)
    assert "compute.timeout_s" in str(error)
    assert not is_alive(int(mark.read_text()))


async def test_closing_ends_a_computation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = tmp_path / "pid"
    monkeypatch.setenv(MARK, str(mark))
    async with engine_of(settings(tmp_path, ODD + "sleepy")) as engine:
        waiting = asyncio.create_task(engine.compute(TASK, INPUTS, lambda _: None))
        pid = await until_marked(mark)
    assert not is_alive(pid)
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_cancelled_computation_ends_its_process_and_lets_the_next_one_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "pid"
    monkeypatch.setenv(MARK, str(mark))
    async with engine_of(settings(tmp_path, ODD + "sleepy")) as engine:
        waiting = asyncio.create_task(engine.compute(TASK, INPUTS, lambda _: None))
        pid = await until_marked(mark)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert not is_alive(pid)
        engine._settings = settings(tmp_path)
        assert (await engine.compute(TASK, INPUTS, lambda _: None)).result == RESULT.result


async def test_a_process_ends_with_its_parent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parent's end closes the pipe, whatever ended it."""
    mark = tmp_path / "pid"
    monkeypatch.setenv(MARK, str(mark))
    async with engine_of(settings(tmp_path, ODD + "sleepy")) as engine:
        waiting = asyncio.create_task(engine.compute(TASK, INPUTS, lambda _: None))
        pid = await until_marked(mark)
        descriptors = [
            int(path.name) for path in Path("/proc/self/fd").iterdir() if is_pipe_of(path, pid)
        ]
        assert descriptors
        for descriptor in descriptors:
            os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
        with pytest.raises(ComputationFault, match="exit code 3"):
            await asyncio.wait_for(waiting, 10)
    assert not is_alive(pid)


def is_pipe_of(descriptor: Path, pid: int) -> bool:
    """Whether a descriptor of this process is the other end of a child's standard input."""
    try:
        return descriptor.readlink() == Path(f"/proc/{pid}/fd/0").readlink()
    except OSError:
        return False


async def test_no_process_can_be_started_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "missing"))
    error = await fault_of(settings(tmp_path))
    assert isinstance(error, ComputationFault)
    assert "no computing process" in str(error)


async def test_rounds_are_computed_one_at_a_time_and_the_loop_goes_on(tmp_path: Path) -> None:
    longest, running = 0.0, True

    async def beat() -> None:
        nonlocal longest
        while running:
            started = time.monotonic()
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - started)

    beating = asyncio.create_task(beat())
    async with engine_of(settings(tmp_path)) as engine:
        outcomes = await asyncio.gather(
            *(engine.compute(TASK, INPUTS, lambda _: None) for _ in range(3))
        )
    running = False
    await beating
    assert {outcome.result for outcome in outcomes} == {RESULT.result}
    assert longest < 1


async def test_a_document_in_a_file_is_read_there(tmp_path: Path) -> None:
    path = tmp_path / "envelope.json"
    path.write_bytes(ENVELOPE)
    inputs = Inputs(FileSource(path), INPUTS.registry, INPUTS.salt, INPUTS.feed)
    of = replace(settings(tmp_path), archive=None, archive_key=None, processes=2)
    async with engine_of(of) as engine:
        outcome = await engine.compute(TASK, inputs, lambda _: None)
        await engine.sealed(TASK.number)
    assert outcome == outcome_of(TASK, compute(INPUTS, CONTEXT, opened()))
    assert not (tmp_path / "spill").exists()
