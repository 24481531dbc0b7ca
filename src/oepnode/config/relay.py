"""Settings of the relay."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from oepnode.config.chain import ChainSettings
from oepnode.config.http import HttpSettings
from oepnode.config.program import ProgramSettings


class RelaySettings(ProgramSettings):
    """Settings of ``oepnode relay serve``."""

    http: HttpSettings = Field(
        default=HttpSettings(), description="address that the relay listens on"
    )
    status: HttpSettings = Field(
        default=HttpSettings(), description="the operator's own address: metrics, health"
    )
    chain: ChainSettings = Field(description="the consensus contract")
    data_dir: Path = Field(
        description="folder for evidence against members that signed two ballots of a round"
    )
    key_file: Path = Field(description="key file of the account that pays for the ballots")
    batch_after_s: float = Field(
        default=5,
        ge=0,
        description="maximum wait of a ballot for others to be cast with it, in seconds",
    )
    look_interval_s: float = Field(
        default=1, gt=0, description="interval between reads of the chain, in seconds"
    )
