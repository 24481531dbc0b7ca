"""Settings of the checks that a sender makes of documents before it publishes them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Action = Literal["off", "warn", "reject"]


class UploadSettings(BaseModel):
    """Limits of documents on their way in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at_once: int = Field(default=64, ge=1, description="documents that are received at once")
    max_waiting_bytes: int = Field(
        default=4 * 2**30,
        gt=0,
        description="maximum bytes of all documents that are being received or wait for their "
        "check, partial uploads included",
    )
    expiry_s: int = Field(
        default=86400,
        gt=0,
        description="time after which a partial upload that is not continued is deleted, in "
        "seconds",
    )


class CheckSettings(BaseModel):
    """Limits of the processes that check documents."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    memory_limit_mb: int = Field(
        default=3072,
        ge=1024,
        description="maximum memory of a checking process, in MiB; a document that needs more is "
        "rejected",
    )
    timeout_s: float = Field(
        default=600, gt=0, description="deadline of checking one document, in seconds"
    )
    at_once: int = Field(default=1, ge=1, description="documents that are checked at once")


class PlausibilitySettings(BaseModel):
    """Oddities that documents are checked for: `off`, or a finding that warns or rejects."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    large_limit: Action = Field(
        default="warn", description="sites with an active limit above `max_kw`"
    )
    max_kw: int = Field(default=1000, ge=0, description="largest usual active limit of a site, kW")
    hole: Action = Field(
        default="warn", description="intervals that are absent between a site's first and last"
    )
    gap: Action = Field(
        default="warn", description="intervals between the previous horizon and this one"
    )
    shift: Action = Field(
        default="warn",
        description="a horizon that starts earlier or later after the opening than expected",
    )
    lead_min: int | None = Field(
        default=None,
        description="minutes from the opening to the first interval; without it those of the "
        "previous document, and 0 for the first",
    )
    shift_min: int = Field(
        default=45, ge=1, description="difference to `lead_min`, in minutes, that is a shift"
    )
    site_count: Action = Field(
        default="warn", description="many more or fewer sites than in the previous document"
    )
    site_count_percent: int = Field(
        default=20, ge=1, description="change of the number of sites that is odd, in percent"
    )
    median: Action = Field(
        default="warn",
        description="a median limit that is many times the previous document's, or a fraction",
    )
    median_ratio: int = Field(default=10, ge=2, description="ratio of both medians that is odd")
    vanished: Action = Field(
        default="warn", description="sites that only the previous document has"
    )
    unassigned: Action = Field(
        default="warn",
        description="sites without an aggregator in all or part of their intervals; needs "
        "`registry_file`",
    )
