"""Options that name the registry's database, and who changes it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database",
        envvar="OEPNODE_DATABASE",
        help="sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE.",
    ),
]
PasswordOption = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        envvar="OEPNODE_DATABASE_PASSWORD_FILE",
        help="File with the password of a PostgreSQL database.",
    ),
]
SettingsOption = Annotated[
    Path | None,
    typer.Option("--config", help="The registry's settings file, in place of both."),
]
AuthorOption = Annotated[
    str | None,
    typer.Option("--by", help="Who makes the change; default is the user of this machine."),
]
