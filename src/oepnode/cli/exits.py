"""From an error to an exit code and one line on stderr, in one place for all commands.

Guarantees: no traceback reaches a user, and nothing of a foreign exception's text, which might hold
an NMI or a key. Source: design section 9.

| code | means |
|---|---|
| 0 | fine, or verified |
| 1 | the evidence says no; also a step that was refused in its present state (`ConflictError`) |
| 2 | wrong usage or configuration |
| 3 | the outside did not answer |
| 4 | a fault of ours or of the machine |
| 130 | interrupted from the keyboard |
"""

from __future__ import annotations

import errno
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import typer
from typer.core import TyperGroup

from oepnode.errors import (
    ConfigError,
    ConflictError,
    DocumentFault,
    EvidenceError,
    OepError,
    TransportError,
)

EVIDENCE: Final = 1
USAGE: Final = 2
OUTSIDE: Final = 3
FAULT: Final = 4
INTERRUPTED: Final = 130

_FAMILIES: Final[tuple[tuple[type[OepError], int], ...]] = (
    (EvidenceError, EVIDENCE),
    (ConflictError, EVIDENCE),
    (ConfigError, USAGE),
    (TransportError, OUTSIDE),
    (OepError, FAULT),
)


class Commands(TyperGroup):
    """The root of the command line: errors of any command below it end here."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]  # noqa: ANN401
        """Run a command, and turn what it raises into an exit code."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort, typer.TyperException):
            raise
        except KeyboardInterrupt as exc:
            raise typer.Exit(INTERRUPTED) from exc
        except Exception as exc:
            if isinstance(exc, OSError) and exc.errno == errno.EPIPE:
                raise  # the reader of a pipe has seen enough; Typer ends quietly
            raise typer.Exit(report(exc)) from exc


def report(error: Exception) -> int:
    """Say on stderr what is wrong, and return the exit code."""
    error = _single(error)
    for line in _lines(error):
        typer.echo(printable(line), err=True)
    return code_of(error)


def code_of(error: Exception) -> int:
    """The exit code of an error."""
    return next((code for family, code in _FAMILIES if isinstance(error, family)), FAULT)


def printable(text: str) -> str:
    """A text without control characters, so that no outside text steers a terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)


def _lines(error: Exception) -> Iterator[str]:
    if isinstance(error, DocumentFault):
        yield f"oepnode: {error.what} refused:"
        yield from (f"  {fault}" for fault in error.faults)
        if error.more:
            yield f"  … and {error.more} more"
    elif isinstance(error, OepError):
        yield f"oepnode: {error}"
    else:
        yield f"oepnode: a fault of ours: {type(error).__name__} {_place(error)}; please report it"


def _single(error: Exception) -> Exception:
    """The error inside a group of one, as task groups raise it; of several the gravest."""
    while isinstance(error, ExceptionGroup):
        error = max(error.exceptions, key=lambda inner: code_of(_single(inner)))
    return error


def _place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "oepnode" in Path(frame.filename).parts]
    if not ours:
        return f"in {Path(sys.argv[0]).name}"
    return f"in {Path(ours[-1].filename).name}, line {ours[-1].lineno}"
