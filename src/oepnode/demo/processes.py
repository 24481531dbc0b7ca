"""Child processes of the demo and of tests: started with a log file, stopped by their own id.

Every process gets its own session, so that an interrupt in the terminal reaches only the parent,
which then stops its children in order.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from oepnode.errors import TransportError

_STOP_S: Final = 10.0
_ENDING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Interrupts:
    """Ending signals as KeyboardInterrupt, deferred while a process is being started."""

    def __init__(self) -> None:
        self._is_deferring = False
        self._is_pending = False

    def receive(self, *_: object) -> None:
        """Handle a signal."""
        if not self._is_deferring:
            raise KeyboardInterrupt
        self._is_pending = True

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Handle a signal that arrives in the block at its end."""
        self._is_deferring = True
        try:
            yield
        finally:
            self._is_deferring = False
        if self._is_pending:
            self._is_pending = False
            raise KeyboardInterrupt


_interrupts: Final = _Interrupts()


def end_on_signals() -> None:
    """Raise KeyboardInterrupt on SIGINT, SIGTERM and SIGHUP.

    Never between the start of a process and the moment at which its starter can stop it.
    """
    for number in _ENDING:
        signal.signal(number, _interrupts.receive)


starting = _interrupts.deferred
"""Context in which a process is started and remembered: a signal waits until its end."""


def run_command(command: Sequence[str], timeout_s: float) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; it is killed where this function is left early.

    Raises:
        subprocess.TimeoutExpired: If it takes longer.
    """
    process = None
    try:
        with starting():
            process = subprocess.Popen(  # noqa: S603 - a command of this package
                list(command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        output, errors = process.communicate(timeout=timeout_s)
    except BaseException:
        if process is not None:
            process.kill()
            process.wait()
        raise
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


class Child:
    """A child process.

    Args:
        name: Name for messages.
        command: Program and arguments.
        log: File for its standard error, and for its output if that is not read.
        env: Additional environment.
        reads_output: Whether its standard output is read with `announcement`.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        env: Mapping[str, str] | None = None,
        *,
        reads_output: bool = True,
    ) -> None:
        self.name = name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as errors:
            self._process = subprocess.Popen(  # noqa: S603 - a command of this package
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if reads_output else errors,
                stderr=errors,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it is still running."""
        return self._process.poll() is None

    def line(self, timeout_s: float) -> str:
        """The next line of its output.

        Raises:
            TransportError: If it ends or prints nothing in time; the message quotes its log.
        """
        pipe = self._process.stdout
        assert pipe is not None  # noqa: S101 - reads_output was given
        deadline = time.monotonic() + timeout_s
        read = b""
        while not read.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([pipe], [], [], left)[0]:
                raise TransportError(
                    f"{self.name} printed nothing within {timeout_s:g} s; see {self.log}"
                )
            chunk = os.read(pipe.fileno(), 1)
            if not chunk:
                raise TransportError(f"{self.name} ended early: {self.last_message()}")
            read += chunk
        return read.decode(errors="replace").rstrip("\n")

    def announcement(self, timeout_s: float = 60) -> dict[str, Any]:
        """The next line of its output that is a JSON object."""
        while True:
            line = self.line(timeout_s)
            with suppress(msgspec.DecodeError):
                return msgspec.json.decode(line.encode(), type=dict[str, Any])

    def last_message(self) -> str:
        """The last line of its log, for messages."""
        text = self.log.read_text("utf-8", errors="replace").strip()
        return text.splitlines()[-1] if text else f"{self.log} is empty"

    def kill(self) -> None:
        """Kill it, as a crash would."""
        if self.is_running:
            self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """Terminate it, kill it after a deadline, and return its exit code."""
        if self.is_running:
            self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        return code
