from __future__ import annotations

import sys
from io import BytesIO, TextIOWrapper

import pytest
import typer
from typer.testing import CliRunner

from oepnode import errors
from oepnode.cli import exits
from oepnode.cli.main import app, main
from oepnode.domain.bundle import BundleError
from oepnode.errors import DocumentFault, Fault


def failing_with(error: BaseException) -> typer.Typer:
    root = typer.Typer(cls=exits.Commands)

    @root.callback()
    def _root() -> None:
        """Only so that the command below has a name."""

    @root.command()
    def go() -> None:
        raise error

    return root


FAULTS = DocumentFault("envelope document", [Fault("$.a", "r", "m"), Fault("$.b", "r", "m")], 3)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (errors.EvidenceError("no"), 1, "oepnode: no"),
        (BundleError("order", "no"), 1, "oepnode: check order failed: no"),
        (errors.ConflictError("moved"), 1, "oepnode: moved"),
        (errors.ConfigError("mend it"), 2, "oepnode: mend it"),
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
            "oepnode: envelope document refused:\n  $.a: r: m\n  $.b: r: m\n  … and 3 more",
        ),
        (KeyboardInterrupt(), 130, ""),
        (typer.Exit(7), 7, ""),
        (typer.BadParameter("bad"), 2, "bad"),
    ],
)
def test_each_family_has_its_code_and_its_words(error: Exception, code: int, said: str) -> None:
    result = CliRunner().invoke(failing_with(error), ["go"])
    assert result.exit_code == code
    assert said in result.stderr
    assert "Traceback" not in result.output
    assert "6305000001" not in result.output
    assert not result.stdout


def test_a_fault_of_ours_names_its_place_and_nothing_else() -> None:
    result = CliRunner().invoke(failing_with(ValueError("secret")), ["go"])
    assert "a fault of ours: ValueError in " in result.stderr
    assert "secret" not in result.stderr


def test_a_closed_pipe_is_no_fault() -> None:
    result = CliRunner().invoke(failing_with(BrokenPipeError(32, "pipe")), ["go"])
    assert (result.exit_code, result.stderr) == (1, "")


def test_outside_text_does_not_steer_the_terminal() -> None:
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
    for words in ([], ["aggregator"], ["audit"], ["verify-site", "--help"]):
        shown = CliRunner().invoke(app, [*words])
        assert "Usage" in shown.output
    assert CliRunner().invoke(app, ["nothing"]).exit_code == 2
