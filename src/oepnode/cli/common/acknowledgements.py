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
from oepnode.client import AcknowledgementReport, FindingReport, ValidationResult

_COLUMNS: Final = ("code", "path", "rule", "fault", "value")


def report(result: ValidationResult[Any], *, as_json: bool) -> None:
    """Print both acknowledgements with every finding that was kept, and the counts of all.

    Raises:
        typer.Exit: With exit code 1 where one of them rejects.
    """
    both = result.report()
    if as_json:
        output.print_json(both)
    else:
        print_answers(both.system, both.transaction)
    if not result.accepted:
        raise typer.Exit(EVIDENCE)


def print_answers(*answers: AcknowledgementReport) -> None:
    """Print acknowledgements with the findings that were kept, and the counts of all."""
    for answer in answers:
        _print(answer)


def _print(answer: AcknowledgementReport) -> None:
    accepted = answer.code == "accepted"
    style = "bold green" if accepted else "bold red"
    mark = "✓" if accepted else "✗"
    head = f"{mark} {answer.acknowledgement} acknowledgement"
    output.say(f"{head}: {answer.code}, {answer.message}", style)
    if answer.faults:
        output.print_table(_COLUMNS, (_row(finding, "red") for finding in answer.faults))
        _print_rest(answer.faults, sum(answer.counts.values()), "faults")
    if answer.warnings:
        output.print_table(_COLUMNS, (_row(finding, "yellow") for finding in answer.warnings))
        _print_rest(answer.warnings, sum(answer.warning_counts.values()), "warnings")


def _print_rest(listed: Sequence[FindingReport], total: int, noun: str) -> None:
    more = total - sum(finding.count for finding in listed)
    if more:
        output.say(f"… and {more} more {noun}", "dim")


def _row(finding: FindingReport, colour: str) -> tuple[object, ...]:
    code = Text(finding.code, style="dim" if finding.caused_by else colour)
    return code, finding.path, finding.rule, finding.text, finding.value
