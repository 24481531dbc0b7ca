"""Commands that run a program until it is stopped: its settings file, its URL once it listens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from oepnode.config import RegistrySettings, RelaySettings, SenderSettings, load

if TYPE_CHECKING:
    from aiohttp import web

S = TypeVar("S", SenderSettings, RegistrySettings, RelaySettings)

Config = Annotated[Path, typer.Option("--config", help="Settings file (TOML).")]


def announcer(as_json: bool) -> Callable[[str], None]:
    """A callback that prints the URL on which a program listens, as one line."""

    def announce(url: str) -> None:
        typer.echo(json.dumps({"listening": url}) if as_json else f"Listening on {url}")

    return announce


def configure_logs() -> None:
    """Set up the log of a program that runs until it is stopped."""
    from oepnode.adapters import logs

    logs.configure()


def serve_application(
    kind: type[S],
    build: Callable[[S], Awaitable[web.Application]],
    config: Path,
    as_json: bool,
) -> None:
    """Run a service until it is stopped.

    Args:
        kind: Its settings.
        build: Builds its application.
        config: Its settings file.
        as_json: Print the URL as JSON.
    """
    from oepnode.wiring import run_service

    configure_logs()
    asyncio.run(run_service(build, load(kind, config), announcer(as_json)))
