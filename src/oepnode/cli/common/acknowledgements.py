"""The two acknowledgements of a submission, printed the same way for every dataset.

Source: Part C §3.2 (system and transaction acknowledgement).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import typer
from rich.text import Text

from oepnode.cli.common import output
from oepnode.cli.common.exits import EVIDENCE
from oepnode.client import Acknowledgement, ValidationResult
from oepnode.errors import Finding

_COLUMNS: Final = ("code", "path", "rule", "fault", "value")


def report(result: ValidationResult[Any], *, as_json: bool) -> None:
    """Print both acknowledgements with every finding that was kept, and the counts of all.

    Raises:
        typer.Exit: With exit code 1 where one of them rejects.
    """
    if as_json:
        output.print_json(result.report())
    else:
        for answer in (result.system, result.transaction):
            _print(answer)
    if not result.accepted:
        raise typer.Exit(EVIDENCE)


def _print(answer: Acknowledgement) -> None:
    style = "bold green" if answer.accepted else "bold red"
    mark = "✓" if answer.accepted else "✗"
    output.say(f"{mark} {answer.kind} acknowledgement: {answer.code}, {answer.message}", style)
    if answer.findings:
        output.print_table(_COLUMNS, (_row(finding, "red") for finding in answer.findings))
        _print_rest(answer.findings, answer.total, "faults")
    if answer.warnings:
        output.print_table(_COLUMNS, (_row(finding, "yellow") for finding in answer.warnings))
        _print_rest(answer.warnings, sum(answer.warning_counts.values()), "warnings")


def _print_rest(listed: Sequence[Finding], total: int, noun: str) -> None:
    more = total - sum(finding.count for finding in listed)
    if more:
        output.say(f"… and {more} more {noun}", "dim")


def _row(finding: Finding, colour: str) -> tuple[object, ...]:
    code = Text(finding.code, style="dim" if finding.caused_by else colour)
    return code, finding.path, finding.section, finding.text, finding.value
