"""Settings of the registry."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from oepnode.config.chain import ChainSettings
from oepnode.config.http import HttpSettings
from oepnode.config.operators import Operators, require_operators
from oepnode.config.program import ProgramSettings
from oepnode.config.values import DocumentKey


class RegistrySettings(ProgramSettings):
    """Settings of ``oepnode registry serve``."""

    http: HttpSettings = Field(
        default=HttpSettings(), description="address that the registry listens on"
    )
    status: HttpSettings = Field(
        default=HttpSettings(), description="the operator's own address: metrics, health"
    )
    chain: ChainSettings = Field(description="the consensus contract")
    data_dir: Path = Field(description="folder for snapshots, salts and index")
    grants_key_file: Path | None = Field(
        default=None,
        description="key file of the account that signs the lists of granted inputs; it needs no "
        "money and no role",
    )
    snapshot_key: DocumentKey | None = Field(
        default=None,
        description="public key with which the publisher signs snapshots (Ed25519); without it "
        "they need no signature",
    )
    operators: Operators = Field(
        default=(),
        description="operators whose workers are served: addresses, each alone or as "
        "`OPERATOR=SIGNER`, which fixes the signer too; checked besides the chain, and required "
        "unless three nodes of the chain are compared",
    )
    max_request_bytes: int = Field(
        default=64 * 2**10, ge=4096, description="maximum size of a request, in bytes"
    )
    request_window_s: int = Field(
        default=120,
        gt=0,
        description="maximum difference between a request's time and the clock, in seconds",
    )

    database: str | None = Field(
        default=None,
        description="database of aggregators and assignments, `sqlite:///FILE` (a relative path "
        "counts from `data_dir`) or `postgresql+psycopg://USER@HOST/DATABASE` without a password",
    )
    database_password_file: Path | None = Field(
        default=None,
        description="file with the password of a PostgreSQL database; without it psycopg looks in "
        "`~/.pgpass`",
    )
    publish: Literal["by_hand", "on_change", "on_schedule"] = Field(
        default="by_hand",
        description="when the registry publishes a snapshot of its database: by command alone, "
        "within seconds of a change, or on a schedule, changed or not",
    )
    publish_interval_s: float = Field(
        default=86_400,
        gt=0,
        description="interval between snapshots on a schedule, in seconds",
    )

    @model_validator(mode="after")
    def _check_publishing(self) -> RegistrySettings:
        if self.publish != "by_hand" and self.database is None:
            raise ValueError("setting publish needs a database; name it in database")
        if self.publish != "by_hand" and self.snapshot_key is not None:
            raise ValueError(
                "settings publish and snapshot_key exclude each other: the key that signs "
                "snapshots is not on this machine; publish by hand"
            )
        return self

    @model_validator(mode="after")
    def _check_operators(self) -> RegistrySettings:
        require_operators(self.operators, self.chain)
        return self
