"""Commands that run a program until it is stopped: its settings file, its URLs once it listens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from oepnode.config import RegistrySettings, RelaySettings, SenderSettings, load

if TYPE_CHECKING:
    from oepnode.wiring import ServiceParts

S = TypeVar("S", SenderSettings, RegistrySettings, RelaySettings)

Config = Annotated[Path, typer.Option("--config", help="Settings file (TOML).")]


def announcer(as_json: bool) -> Callable[[str, str], None]:
    """A callback that prints the URLs on which a program listens, as one line."""

    def announce(public_url: str, operator_url: str) -> None:
        urls = {"listening": public_url, "status": operator_url}
        text = f"Listening on {public_url}; status for the operator on {operator_url}"
        typer.echo(json.dumps(urls) if as_json else text)

    return announce


def configure_logs() -> None:
    """Set up the log of a program that runs until it is stopped."""
    from oepnode.adapters import logs

    logs.configure()


def serve_application(
    kind: type[S],
    build: Callable[[S], Awaitable[ServiceParts]],
    config: Path,
    as_json: bool,
) -> None:
    """Run a service until it is stopped.

    Args:
        kind: Its settings.
        build: Builds its applications.
        config: Its settings file.
        as_json: Print the URLs as JSON.
    """
    from oepnode.wiring import run_service

    configure_logs()
    asyncio.run(run_service(build, load(kind, config), announcer(as_json)))
