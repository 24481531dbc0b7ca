"""Commands of ``oepnode registry`` for its database and the assignments in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oepnode.cli.common import output
from oepnode.cli.common.database import (
    AuthorOption,
    DatabaseOption,
    PasswordOption,
    SettingsOption,
)
from oepnode.cli.common.output import JsonFlag
from oepnode.client.operation.registry.changes import AssignmentChange, HeldSpan
from oepnode.client.operation.registry.changes import assign as assign_site
from oepnode.client.operation.registry.database import DatabaseTarget, prepare_database
from oepnode.client.operation.registry.history import site_history
from oepnode.client.operation.registry.imports import import_assignments

NmiArgument = Annotated[str, typer.Argument(metavar="NMI", help="NMI, or token in blind mode.")]
FromOption = Annotated[
    str, typer.Option("--from", help="First interval start, as 2026-12-01T04:00:00+10:00.")
]
ToOption = Annotated[
    str | None, typer.Option("--to", help="First interval start no longer covered; default never.")
]


def init(
    database: DatabaseOption = None,
    password_file: PasswordOption = None,
    config: SettingsOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Make the tables of the registry's database, or bring them to this release."""
    target = DatabaseTarget(database, password_file, config)
    output.print_report(prepare_database(target), as_json)


def assign(
    nmi: NmiArgument,
    aggregator: Annotated[str, typer.Argument(help="Id of the aggregator.")],
    start: FromOption,
    end: ToOption = None,
    by: AuthorOption = None,
    database: DatabaseOption = None,
    password_file: PasswordOption = None,
    config: SettingsOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Assign a site to an aggregator; what was assigned before is split or closed."""
    target = DatabaseTarget(database, password_file, config)
    _print_change(assign_site(target, nmi, aggregator, start, end, by), as_json)


def unassign(
    nmi: NmiArgument,
    start: FromOption,
    end: ToOption = None,
    by: AuthorOption = None,
    database: DatabaseOption = None,
    password_file: PasswordOption = None,
    config: SettingsOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Take a site away from whoever has it."""
    target = DatabaseTarget(database, password_file, config)
    _print_change(assign_site(target, nmi, None, start, end, by), as_json)


def import_file(
    file: Annotated[Path, typer.Argument(help="Registry snapshot (JSON), or CSV or Parquet.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="The file has all assignments; others are removed.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count the changes.")] = False,
    by: AuthorOption = None,
    database: DatabaseOption = None,
    password_file: PasswordOption = None,
    config: SettingsOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Write the assignments of a file over those of the registry, all or none.

    A table has the columns nmi, aggregator, from and to; a row without an aggregator takes the site
    away. Of a snapshot the aggregators are taken as well.
    """
    target = DatabaseTarget(database, password_file, config)
    report = import_assignments(target, file, replace=replace, dry_run=dry_run, author=by)
    output.print_report(report, as_json)


def history(
    nmi: NmiArgument,
    database: DatabaseOption = None,
    password_file: PasswordOption = None,
    config: SettingsOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Show who holds a site, and who changed that, when."""
    report = site_history(DatabaseTarget(database, password_file, config), nmi)
    if as_json:
        output.print_json(report)
        return
    _print_spans("now", report.held)
    for change in report.changes:
        output.say(f"{change.made_at}  {change.made_by}: {change.action}")
        _print_spans("  removed", change.removed)
        _print_spans("  added", change.added)


def _print_change(change: AssignmentChange, as_json: bool) -> None:
    if as_json:
        output.print_json(change)
        return
    if not change.is_changed:
        output.say("nothing to change")
    _print_spans("removed", change.removed)
    _print_spans("added", change.added)
    _print_spans("now", change.held)


def _print_spans(title: str, spans: tuple[HeldSpan, ...]) -> None:
    for span in spans:
        output.say(
            f"{title}: {span.aggregator} from {span.start} to {span.end or 'further notice'}"
        )
