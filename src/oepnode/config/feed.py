"""Settings of the form of envelope documents."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class FeedSettings(BaseModel):
    """Form of the documents, as sender and operators agreed it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    profile: Literal["wide", "edge"] = Field(
        default="wide",
        description="profile of limits: `edge` as in Part C (2 decimals, 99.99 kW), `wide` with "
        "3 decimals and larger limits",
    )
    import_sign: Literal["canonical", "magnitude"] = Field(
        default="canonical",
        description="sign of import limits: `canonical` is ≤ 0, `magnitude` is ≥ 0",
    )
