"""Settings of the sender."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from oepnode.config.chain import ChainSettings
from oepnode.config.checks import CheckSettings, PlausibilitySettings, UploadSettings
from oepnode.config.feed import FeedSettings
from oepnode.config.http import HttpSettings
from oepnode.config.operators import Operators, require_operators
from oepnode.config.program import ProgramSettings
from oepnode.config.values import DocumentKey


class SenderSettings(ProgramSettings):
    """Settings of ``oepnode sender serve``."""

    http: HttpSettings = Field(
        default=HttpSettings(), description="address that the gateway listens on"
    )
    status: HttpSettings = Field(
        default=HttpSettings(), description="the operator's own address: metrics, health"
    )
    chain: ChainSettings = Field(description="the consensus contract")
    feed: FeedSettings = Field(default=FeedSettings(), description="form of the documents")
    data_dir: Path = Field(description="folder for documents and index")
    key_file: Path = Field(description="key file of an account with REQUESTER_ROLE")
    token_file: Path = Field(description="file with the bearer token for publishing documents")
    document_key: DocumentKey | None = Field(
        default=None,
        description="public key with which the publisher signs documents (Ed25519); without it "
        "they need no signature",
    )
    blinding_key_file: Path | None = Field(
        default=None,
        description="file with the blinding key of the registry's snapshots: NMIs of a document "
        "are replaced by tokens before it is stored",
    )
    max_document_bytes: int = Field(
        default=512 * 2**20, gt=0, description="maximum size of a document, in bytes"
    )
    uploads: UploadSettings = Field(
        default=UploadSettings(), description="limits of documents on their way in"
    )
    check: CheckSettings = Field(
        default=CheckSettings(), description="limits of the processes that check documents"
    )
    plausibility: PlausibilitySettings = Field(
        default=PlausibilitySettings(), description="oddities that documents are checked for"
    )
    registry_file: Path | None = Field(
        default=None,
        description="file with a registry snapshot, or a list of NMIs or tokens, one a line, for "
        "`plausibility.unassigned`; it is read for every document",
    )
    operators: Operators = Field(
        default=(),
        description="operators whose workers are served: addresses, each alone or as "
        "`OPERATOR=SIGNER`, which fixes the signer too; checked besides the chain, and required "
        "unless three nodes of the chain are compared",
    )
    document_access: Literal["members", "anyone"] = Field(
        default="members",
        description="readers of documents: enrolled workers by a signed request, or anyone",
    )
    request_window_s: int = Field(
        default=120,
        gt=0,
        description="maximum difference between a request's time and the clock, in seconds",
    )

    @model_validator(mode="after")
    def _check_operators(self) -> SenderSettings:
        if self.document_access == "members":
            require_operators(self.operators, self.chain)
        return self

    @model_validator(mode="after")
    def _check_signing(self) -> SenderSettings:
        if self.document_key is not None and self.blinding_key_file is not None:
            raise ValueError(
                "settings document_key and blinding_key_file exclude each other: a document that "
                "the gateway blinds is not the one that was signed; blind it before signing "
                "('sender blind')"
            )
        return self
