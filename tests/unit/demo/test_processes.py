"""Processes of the demo: none is left behind when a signal ends it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from oepnode.demo.processes import end_on_signals, run_command, starting

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in ENDING}
    end_on_signals()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_while_a_process_starts_waits_until_it_is_remembered(
    number: signal.Signals,
) -> None:
    steps = []
    with pytest.raises(KeyboardInterrupt), starting():
        os.kill(os.getpid(), number)
        steps.append("remembered")
    assert steps == ["remembered"]
    with starting():
        steps.append("the next start is not interrupted")


def test_a_signal_at_any_other_time_ends_the_program_at_once() -> None:
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGTERM)


def test_a_command_that_is_interrupted_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[str]] = []
    real = subprocess.Popen

    def popen(*words: object, **options: object) -> subprocess.Popen[str]:
        process: subprocess.Popen[str] = real(*words, **options)  # type: ignore[call-overload]
        started.append(process)
        os.kill(os.getpid(), signal.SIGTERM)
        return process

    monkeypatch.setattr(subprocess, "Popen", popen)
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_command([sys.executable, "-c", "import time; time.sleep(60)"], 50)
    assert started[0].poll() == -signal.SIGKILL
    assert time.monotonic() - begun < 30


def test_a_command_returns_its_output_and_code() -> None:
    done = run_command([sys.executable, "-c", "print('out'); raise SystemExit(3)"], 30)
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "")
