"""Exit codes and error messages of all commands.

Guarantees: no traceback reaches a user, and nothing of a foreign exception's text, which might hold
an NMI or a key. A command that is given ``--json`` and fails before its answer leaves one JSON
object on stdout: ``error`` with ``kind`` (a word of the table), ``message`` and ``exit``;
``faults`` of a document, each with ``code``, ``path``, ``message`` and ``value``; ``more``, the
number of faults beyond these.
Source: ``docs/design.md``.

| code | kind | means |
|---|---|---|
| 0 | | fine, or verified |
| 1 | evidence, conflict | verification failed; a step was rejected in its present state |
| 2 | usage | wrong usage or configuration |
| 3 | outside | an external service did not respond |
| 4 | fault | internal error, or a fault of the machine |
| 130 | | interrupted from the keyboard |
"""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Final

import typer
from typer.core import TyperGroup

from oepnode.cli.common.hints import EDGE_HINTS
from oepnode.client.audits import OpeningNotFoundError
from oepnode.client.certificates import OperatorsNotNamedError
from oepnode.client.chain import ChainNotNamedError
from oepnode.client.fetching import NoEndpointError
from oepnode.client.grants import SignerNotNamedError
from oepnode.client.keys import AggregatorIdError, KeyFileError
from oepnode.client.operation.registry.database import DatabaseNotNamedError
from oepnode.client.operation.relay import BallotFileError
from oepnode.client.operation.snapshots import SaltNotNamedError
from oepnode.client.rounds import RoundNotNamedError, RoundStateError
from oepnode.client.tokens import TokensMissingError, TokensNotUsedError
from oepnode.errors import (
    ConfigError,
    ConflictError,
    DocumentFault,
    EvidenceError,
    Finding,
    OepError,
    TransportError,
    UnreadCodeError,
    UnverifiedCodeError,
    location_of,
)

EVIDENCE: Final = 1
USAGE: Final = 2
OUTSIDE: Final = 3
FAULT: Final = 4
INTERRUPTED: Final = 130

_FAMILIES: Final[tuple[tuple[type[OepError], int, str], ...]] = (
    (EvidenceError, EVIDENCE, "evidence"),
    (ConflictError, EVIDENCE, "conflict"),
    (ConfigError, USAGE, "usage"),
    (TransportError, OUTSIDE, "outside"),
)
_HINTS: Final[dict[type[OepError], str]] = {
    AggregatorIdError: "--aggregator",
    BallotFileError: "'relay sign' prints signed ballots, one per line",
    DatabaseNotNamedError: "--database, --config or OEPNODE_DATABASE",
    ChainNotNamedError: "--rpc and --contract, or OEPNODE_RPC and OEPNODE_CONTRACT",
    KeyFileError: "make one with 'aggregator keygen', an auditor's with 'audit keygen'",
    NoEndpointError: "--allow-private, if this is a test network",
    OpeningNotFoundError: "--start-block",
    OperatorsNotNamedError: "--operator or --operators, --quorum, --contract and --chain-id",
    RoundNotNamedError: "--round",
    RoundStateError: "'audit round N --json' prints it",
    SaltNotNamedError: "--salt-file or --new-salt",
    SignerNotNamedError: "--registry-signer, or OEPNODE_REGISTRY_SIGNER",
    TokensMissingError: "--tokens; 'aggregator tokens' gets the list",
    TokensNotUsedError: "leave out --tokens",
    UnreadCodeError: "check it with --verify-only",
    UnverifiedCodeError: "check it with --verify-only",
    **EDGE_HINTS,
}
"""Options and commands that settle an error of the client, which itself knows none."""

_JSON: Final = "--json"
_FOREIGN: Final = "Value error, "
"""Words of the library of validators before a message on an option."""

_RUST: Final = "pyo3_runtime"
"""Module of the exception of a Rust library's panic, which is not an `Exception`."""


@dataclass
class _Answer:
    """Output of the running command.

    Attributes:
        is_json: Whether JSON was requested.
        is_given: Whether it has been printed.
    """

    is_json: bool = False
    is_given: bool = False


_answer: ContextVar[_Answer | None] = ContextVar("answer", default=None)


class Commands(TyperGroup):
    """Root of the command line: translates the errors of every command below it."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Parse the arguments, and note whether JSON is requested."""
        _answer.set(_Answer(is_json=_asks_for_json(self, args)))
        return super().parse_args(ctx, args)

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]  # noqa: ANN401
        """Run a command, and turn an exception into an exit code."""
        try:
            return super().invoke(ctx)
        except (typer.Exit, typer.Abort):
            raise
        except typer.TyperException as exc:
            exc.message = exc.message.removeprefix(_FOREIGN)
            _print_json("usage", exc.format_message(), exc.exit_code)
            raise
        except KeyboardInterrupt as exc:
            raise typer.Exit(INTERRUPTED) from exc
        except Exception as exc:
            if isinstance(exc, OSError) and exc.errno == errno.EPIPE:
                raise  # the reader of the pipe is gone; Typer ends quietly
            raise typer.Exit(report(exc)) from exc
        except BaseException as exc:
            if type(exc).__module__ != _RUST:
                raise
            raise typer.Exit(report(exc)) from exc


def _asks_for_json(group: TyperGroup, words: Sequence[str]) -> bool:
    """Whether the words name a command with a flag ``--json``, and set it.

    Takes the words, since options that cannot be parsed are reported as JSON as well.
    """
    command: Any = group
    for word in words:
        inner = getattr(command, "commands", {})
        command = inner.get(word, command)
    has_flag = any(_JSON in known.opts and known.is_flag for known in _options(command))
    return has_flag and _JSON in takewhile(lambda word: word != "--", words)


def _options(command: Any) -> list[Any]:  # noqa: ANN401 - a command of the command line library
    return [known for known in command.params if known.param_type_name == "option"]


def note_answer() -> None:
    """Note that the running command has printed its JSON, so that an error adds no second value."""
    answer = _answer.get()
    if answer is not None:
        answer.is_given = True


def report(error: BaseException) -> int:
    """Print an error to stderr, and as JSON to stdout where requested; return the exit code."""
    error = _single(error)
    _print_json(_kind_of(error), _sentence(error), code_of(error), error)
    for line in _lines(error):
        typer.echo(printable(line), err=True)
    return code_of(error)


def _print_json(kind: str, message: str, code: int, error: BaseException | None = None) -> None:
    answer = _answer.get()
    if answer is None or not answer.is_json or answer.is_given:
        return
    answer.is_given = True
    faults = error.faults if isinstance(error, DocumentFault) else ()
    answered = {
        "error": {"kind": kind, "message": message, "exit": code},
        "faults": [_fault(fault) for fault in faults],
        "more": error.more if isinstance(error, DocumentFault) else 0,
    }
    typer.echo(json.dumps(answered, indent=2))


def _fault(fault: Finding) -> dict[str, str]:
    return {
        "code": fault.code,
        "path": fault.path,
        "message": f"{fault.text} ({fault.section})" if fault.section else fault.text,
        "value": fault.value,
    }


def code_of(error: BaseException) -> int:
    """The exit code of an error."""
    return next((code for family, code, _ in _FAMILIES if isinstance(error, family)), FAULT)


def _kind_of(error: BaseException) -> str:
    return next((kind for family, _, kind in _FAMILIES if isinstance(error, family)), "fault")


def printable(text: str) -> str:
    """A text without control characters, so that foreign text cannot control the terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)


def _lines(error: BaseException) -> Iterator[str]:
    if not isinstance(error, DocumentFault):
        yield f"oepnode: {_sentence(error)}"
        return
    yield f"oepnode: {error.what} rejected:"
    yield from (f"  {fault}" for fault in error.faults)
    if error.more:
        yield f"  … and {error.more} more"
    if hint := _hint_of(error):
        yield f"  ({hint})"


def _sentence(error: BaseException) -> str:
    if isinstance(error, OepError):
        hint = _hint_of(error)
        return f"{error} ({hint})" if hint else str(error)
    return f"internal error: {type(error).__name__} in {location_of(error)}; please report it"


def _hint_of(error: OepError) -> str | None:
    return next((_HINTS[kind] for kind in type(error).__mro__ if kind in _HINTS), None)


def _single(error: BaseException) -> BaseException:
    """The error inside a group of one, as task groups raise it; the gravest of several."""
    while isinstance(error, ExceptionGroup):
        error = max(error.exceptions, key=lambda inner: code_of(_single(inner)))
    return error
