from __future__ import annotations

import json
import sys
from io import BytesIO, TextIOWrapper
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from oepnode import errors
from oepnode.cli.common import exits, output
from oepnode.cli.main import app, main
from oepnode.domain.rounds.bundle import BundleError
from oepnode.errors import DocumentFault, Finding


def failing_with(error: BaseException, answer: object = None) -> typer.Typer:
    """A program whose only command raises, with ``answer`` printed before."""
    root = typer.Typer(cls=exits.Commands)

    @root.callback()
    def _root() -> None:
        """A second command, so that the one below has a name."""

    @root.command()
    def go(as_json: output.JsonFlag = False, percent: Annotated[int, typer.Option()] = 1) -> None:
        if answer is not None:
            output.print_json(answer)
        raise error

    return root


FAULTS = DocumentFault("envelope document", [Finding("$.a", "r", "m"), Finding("$.b", "r", "m")], 3)


@pytest.mark.parametrize(
    ("error", "code", "printed"),
    [
        (errors.EvidenceError("no"), 1, "oepnode: no"),
        (BundleError("order", "no"), 1, "oepnode: check order failed: no"),
        (errors.ConflictError("moved"), 1, "oepnode: moved"),
        (errors.ConfigError("fix it"), 2, "oepnode: fix it"),
        (errors.TransportError("silent"), 3, "oepnode: silent"),
        (errors.FatalError("disk"), 4, "oepnode: disk"),
        (errors.OepError("what"), 4, "oepnode: what"),
        (KeyError("6305000001"), 4, "KeyError"),
        (ExceptionGroup("g", [errors.TransportError("silent")]), 3, "oepnode: silent"),
        (
            ExceptionGroup("g", [errors.EvidenceError("no"), errors.TransportError("silent")]),
            3,
            "oepnode: silent",
        ),
        (
            FAULTS,
            1,
            "oepnode: envelope document rejected:\n  $.a: r: m\n  $.b: r: m\n  … and 3 more",
        ),
        (KeyboardInterrupt(), 130, ""),
        (typer.Exit(7), 7, ""),
        (typer.BadParameter("bad"), 2, "bad"),
    ],
)
def test_each_family_of_errors_has_its_exit_code_and_text(
    error: Exception, code: int, printed: str
) -> None:
    result = CliRunner().invoke(failing_with(error), ["go"])
    assert result.exit_code == code
    assert printed in result.stderr
    assert "Traceback" not in result.output
    assert "6305000001" not in result.output
    assert not result.stdout


NO_FAULTS: dict[str, Any] = {"faults": [], "more": 0}


@pytest.mark.parametrize(
    ("error", "kind", "code", "message"),
    [
        (errors.EvidenceError("no"), "evidence", 1, "no"),
        (errors.ConflictError("moved"), "conflict", 1, "moved"),
        (errors.ConfigError("fix it"), "usage", 2, "fix it"),
        (errors.TransportError("silent"), "outside", 3, "silent"),
        (errors.FatalError("disk"), "fault", 4, "disk"),
        (ExceptionGroup("g", [errors.TransportError("silent")]), "outside", 3, "silent"),
        (typer.BadParameter("bad"), "usage", 2, "Invalid value: bad"),
    ],
)
def test_an_error_is_json_where_json_is_requested(
    error: Exception, kind: str, code: int, message: str
) -> None:
    result = CliRunner().invoke(failing_with(error), ["go", "--json"])
    assert result.exit_code == code
    answer = {"kind": kind, "message": message, "exit": code}
    assert json.loads(result.stdout) == {"error": answer} | NO_FAULTS
    assert message.removeprefix("Invalid value: ") in result.stderr


def test_the_faults_of_a_document_are_in_the_json() -> None:
    answer = json.loads(CliRunner().invoke(failing_with(FAULTS), ["go", "--json"]).stdout)
    assert answer["error"]["kind"] == "evidence"
    assert answer["faults"][1] == {"code": "r", "path": "$.b", "message": "m", "value": ""}
    assert (len(answer["faults"]), answer["more"]) == (2, 3)


def test_the_message_of_a_fault_has_the_section_of_its_rule() -> None:
    fault = DocumentFault("envelope document", [Finding("$.a", "r", "m", section="Part C §6.3")])
    answer = json.loads(CliRunner().invoke(failing_with(fault), ["go", "--json"]).stdout)
    assert answer["faults"][0]["message"] == "m (Part C §6.3)"


def test_json_of_an_internal_error_has_nothing_of_its_text() -> None:
    result = CliRunner().invoke(failing_with(ValueError("secret")), ["go", "--json"])
    assert json.loads(result.stdout)["error"]["kind"] == "fault"
    assert "secret" not in result.output


@pytest.mark.parametrize("words", [["--percent", "x"], ["--unknown"], ["too", "many"]])
def test_invalid_arguments_are_reported_in_json_too(words: list[str]) -> None:
    root = failing_with(AssertionError())
    for placed in (["go", "--json", *words], ["go", *words, "--json"]):
        result = CliRunner().invoke(root, placed)
        answer = json.loads(result.stdout)
        assert (answer["error"]["kind"], answer["error"]["exit"], result.exit_code) == (
            "usage",
            2,
            2,
        )
    assert not CliRunner().invoke(root, ["go", *words]).stdout
    assert not CliRunner().invoke(root, ["go", *words, "--", "--json"]).stdout


def test_stdout_is_one_json_value_where_an_error_follows_the_answer() -> None:
    root = failing_with(errors.ConfigError("no room"), answer={"a": 1})
    result = CliRunner().invoke(root, ["go", "--json"])
    assert (json.loads(result.stdout), result.exit_code) == ({"a": 1}, 2)
    assert "no room" in result.stderr


def test_a_command_without_the_flag_prints_no_json() -> None:
    for words in (["demo", "--json"], ["nothing", "--json"], ["--json"]):
        result = CliRunner().invoke(app, words)
        assert (result.exit_code, result.stdout) == (2, "")


def test_every_command_with_the_json_flag_reports_invalid_arguments_in_json() -> None:
    commands = commands_with_json(typer.main.get_command(app))
    assert ("boffer", "clear") in commands
    for words in commands:
        result = CliRunner().invoke(app, [*words, "--json", "--no-such-option"])
        assert json.loads(result.stdout)["error"]["kind"] == "usage", words


def commands_with_json(command: Any, words: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The words of every command that has the flag."""
    inner = getattr(command, "commands", {})
    has_flag = any("--json" in p.opts and getattr(p, "is_flag", False) for p in command.params)
    commands = [words] if has_flag else []
    for name, sub in inner.items():
        commands += commands_with_json(sub, (*words, name))
    return commands


def test_an_internal_error_names_its_location_and_nothing_else() -> None:
    result = CliRunner().invoke(failing_with(ValueError("secret")), ["go"])
    assert "internal error: ValueError in " in result.stderr
    assert "secret" not in result.stderr


def test_a_panic_of_a_library_is_an_internal_error_without_a_traceback() -> None:
    panic = type("PanicException", (BaseException,), {"__module__": "pyo3_runtime"})
    result = CliRunner().invoke(failing_with(panic("secret")), ["go", "--json"])
    assert result.exit_code == 4
    assert json.loads(result.stdout)["error"]["kind"] == "fault"
    assert "internal error: PanicException in " in result.stderr
    assert "secret" not in result.output


def test_a_closed_pipe_is_not_an_error() -> None:
    result = CliRunner().invoke(failing_with(BrokenPipeError(32, "pipe")), ["go"])
    assert (result.exit_code, result.stderr) == (1, "")


def test_foreign_text_does_not_control_the_terminal() -> None:
    result = CliRunner().invoke(failing_with(errors.TransportError("a\x1b[31mb\nc")), ["go"])
    assert result.stderr == "oepnode: a?[31mb?c\n"


def test_a_terminal_without_unicode(monkeypatch: pytest.MonkeyPatch) -> None:
    stdout = TextIOWrapper(BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stdout)
    monkeypatch.setattr(sys, "argv", ["oepnode", "--version"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert stdout.errors == "replace"


def test_version_and_help() -> None:
    assert CliRunner().invoke(app, ["--version"]).stdout.startswith("oepnode 0.")
    for words in ([], ["aggregator"], ["audit"], ["aggregator", "verify-site", "--help"]):
        result = CliRunner().invoke(app, [*words])
        assert "Usage" in result.output
    assert CliRunner().invoke(app, ["nothing"]).exit_code == 2
