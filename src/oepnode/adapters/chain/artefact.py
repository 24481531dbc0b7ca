"""The compiled contracts as committed and shipped: ABI, bytecode and compiler settings."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def consensus() -> dict[str, Any]:
    """The artefact of ``OepConsensus`` with the keys ``abi``, ``bytecode`` and others."""
    return _load("OepConsensus")


@cache
def inclusion() -> dict[str, Any]:
    """The artefact of ``OepInclusion``, for contracts that act on a limit."""
    return _load("OepInclusion")


def _load(name: str) -> dict[str, Any]:
    text = files("oepnode.adapters.abi").joinpath(f"{name}.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded
