"""The compiled contract as committed and shipped: ABI, bytecode and compiler settings."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def consensus() -> dict[str, Any]:
    """The artefact of ``OepConsensus`` with the keys ``abi``, ``bytecode`` and others."""
    text = files("oepnode.adapters.abi").joinpath("OepConsensus.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded
