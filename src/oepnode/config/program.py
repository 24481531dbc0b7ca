"""Settings of a program, read from TOML and the environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from oepnode.errors import ConfigError


class ProgramSettings(BaseSettings):
    """Base of the settings of a program."""

    model_config = SettingsConfigDict(
        env_prefix="OEPNODE_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment first, then the file; no other source."""
        return (env_settings, init_settings)


AnySettings = TypeVar("AnySettings", bound=ProgramSettings)
AnySection = TypeVar("AnySection", bound=BaseModel)


def load(kind: type[AnySettings], path: Path) -> AnySettings:
    """Read the settings of a program.

    Relative paths in the file are relative to the file's folder.

    Raises:
        ConfigError: If the file cannot be read, or a setting is unknown, missing or invalid.
    """
    values = _read_toml(kind, path)
    try:
        settings = kind(**values)
    except ValidationError as exc:
        raise ConfigError(f"{path}: {'; '.join(map(_problem, exc.errors()))}") from exc
    return _absolute(settings, path.resolve().parent)


def _absolute(settings: AnySection, folder: Path) -> AnySection:
    """Settings whose relative paths are relative to a folder, those of sections too."""
    changed: dict[str, object] = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, Path):
            changed[name] = folder / value
        elif isinstance(value, BaseModel):
            changed[name] = _absolute(value, folder)
    return settings.model_copy(update=changed)


def _problem(error: ErrorDetails) -> str:
    setting = ".".join(map(str, error["loc"]))
    if error["type"] == "missing":
        return f"setting {setting} is missing"
    if error["type"] == "extra_forbidden":
        return f"unknown setting {setting}"
    problem = error["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    return f"setting {setting}: {problem}" if setting else problem


def _read_toml(kind: type[ProgramSettings], path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ConfigError(f"{path}: no such settings file")
    try:
        return TomlConfigSettingsSource(kind, toml_file=path)()
    except (OSError, ValueError) as exc:
        raise ConfigError(f"{path}: not readable as TOML: {exc}") from exc
