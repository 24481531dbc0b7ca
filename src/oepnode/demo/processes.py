"""Child processes of the demo and of tests: started with a log file, stopped by their own id.

Every process gets a session of its own, so that an interrupt in the terminal reaches only the
parent, which then stops its children in order.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from oepnode.errors import TransportError

_STOP_S: Final = 10.0


class Child:
    """A process that was started here.

    Args:
        name: For messages.
        command: Program and arguments.
        log: File that takes its standard error, and its output where that is not read.
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
            self._process = subprocess.Popen(  # noqa: S603 - a program of ours
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
        """Whether it has not ended."""
        return self._process.poll() is None

    def line(self, timeout_s: float) -> str:
        """The next line of its output.

        Raises:
            TransportError: If it ends or stays silent instead; the message quotes its log.
        """
        pipe = self._process.stdout
        assert pipe is not None  # noqa: S101 - reads_output was given
        deadline = time.monotonic() + timeout_s
        read = b""
        while not read.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([pipe], [], [], left)[0]:
                raise TransportError(f"{self.name} said nothing within {timeout_s:g} s")
            chunk = os.read(pipe.fileno(), 1)
            if not chunk:
                raise TransportError(f"{self.name} ended early: {self.last_words()}")
            read += chunk
        return read.decode(errors="replace").rstrip("\n")

    def announcement(self, timeout_s: float = 60) -> dict[str, Any]:
        """The next line of its output that is a JSON object."""
        while True:
            line = self.line(timeout_s)
            with suppress(msgspec.DecodeError):
                return msgspec.json.decode(line.encode(), type=dict[str, Any])

    def last_words(self) -> str:
        """The end of its log, for messages."""
        text = self.log.read_text("utf-8", errors="replace").strip()
        return text.splitlines()[-1] if text else "it left no message"

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self.is_running:
            self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """Ask it to end, insist after a while, and return its exit code."""
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
