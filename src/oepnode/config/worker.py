"""Settings of the worker."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from oepnode.config.chain import ChainSettings
from oepnode.config.feed import FeedSettings
from oepnode.config.http import HttpSettings
from oepnode.config.program import ProgramSettings
from oepnode.config.values import Address, DocumentKey, PublicKey, is_loopback


class WorkerRelaySettings(BaseModel):
    """The relay that casts a worker's ballots and pays for them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str | None = Field(
        default=None,
        description="URL of the relay that casts this worker's ballots; without it they are cast "
        "directly",
    )
    # The minimum covers the longest wait between two attempts, and a silent relay.
    direct_before_s: int = Field(
        default=60,
        ge=45,
        description="seconds before the vote deadline at which a ballot that is not on chain is "
        "cast directly; in a shorter vote every ballot is cast directly",
    )


class WorkerDocumentSettings(BaseModel):
    """The keys with which the network signs its documents."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sender_key: DocumentKey | None = Field(
        default=None,
        description="public key that envelope documents must be signed with (Ed25519); without it "
        "they need no signature",
    )
    registry_key: DocumentKey | None = Field(
        default=None,
        description="public key that registry snapshots must be signed with (Ed25519); without it "
        "they need no signature",
    )


class ComputeSettings(BaseModel):
    """Where a worker computes its rounds, and the limits of its computing processes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    engine: Literal["local", "dask"] = Field(
        default="local",
        description="where rounds are computed: on this machine, or on a Dask cluster (extra "
        "cluster)",
    )
    scheduler: str | None = Field(
        default=None,
        description="URL of the cluster's scheduler, tls://HOST:PORT, or tcp:// on this machine",
    )
    allow_plain_tcp: bool = Field(
        default=False,
        description="whether tcp:// may lead to another machine; NMIs, limits and round keys then "
        "cross the network in the clear",
    )
    tls_ca_file: Path | None = Field(
        default=None, description="certificate authority of the cluster's machines, PEM"
    )
    tls_cert_file: Path | None = Field(
        default=None, description="this worker's certificate for the cluster, PEM"
    )
    tls_key_file: Path | None = Field(default=None, description="private key of tls_cert_file, PEM")
    shares_documents: bool = Field(
        default=False,
        description="whether Dask workers read data_dir at the same path; otherwise each part of a "
        "document is sent to them",
    )

    memory_limit_mb: int = Field(
        default=2048,
        ge=256,
        description="maximum memory of computing a round, all processes together, in MiB; a "
        "round that needs more is abstained from",
    )
    processes: int = Field(
        default=0,
        ge=0,
        le=256,
        description="processes that compute a round together, within memory_limit_mb; 0: one for "
        "each core",
    )
    timeout_s: float = Field(
        default=900, gt=0, description="deadline of computing and sealing a round, in seconds"
    )

    @model_validator(mode="after")
    def _check_cluster(self) -> ComputeSettings:
        if self.engine == "local":
            return self
        if self.scheduler is None:
            raise ValueError('engine is "dask"; set scheduler to the URL of the cluster')
        _check_scheduler(self.scheduler, allow_plain_tcp=self.allow_plain_tcp)
        files = (self.tls_ca_file, self.tls_cert_file, self.tls_key_file)
        if self.scheduler.startswith("tls://") and None in files:
            raise ValueError(
                "a scheduler at tls:// needs tls_ca_file, tls_cert_file and tls_key_file"
            )
        return self


def _check_scheduler(url: str, *, allow_plain_tcp: bool) -> None:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("malformed URL of a scheduler; give tls://HOST:PORT") from None
    if parts.scheme not in ("tls", "tcp") or not host or port is None:
        raise ValueError("the URL of a scheduler must be tls://HOST:PORT or tcp://HOST:PORT")
    if parts.scheme == "tcp" and not (allow_plain_tcp or is_loopback(host)):
        raise ValueError(
            f"scheduler {host}: plain tcp to another machine; use tls, or set allow_plain_tcp if "
            "the network between is trusted"
        )


class WorkerSettings(ProgramSettings):
    """Settings of ``oepnode worker run``."""

    http: HttpSettings = Field(
        default=HttpSettings(),
        description="public address: sealed bundles, and health as one word",
    )
    status: HttpSettings = Field(
        default=HttpSettings(),
        description="the operator's own address: status page, status as JSON, metrics",
    )
    chain: ChainSettings = Field(description="the consensus contract")
    feed: FeedSettings = Field(default=FeedSettings(), description="form of the documents")
    data_dir: Path = Field(description="folder for database, bundles and archive")
    key_file: Path = Field(description="key file of this worker's signer")
    operator: Address = Field(description="permanent address of this worker's operator")
    sender_url: str = Field(description="URL of the sender's gateway")
    registry_url: str = Field(description="URL of the NMI registry")
    relay: WorkerRelaySettings = Field(
        default=WorkerRelaySettings(), description="relay that casts this worker's ballots"
    )
    documents: WorkerDocumentSettings = Field(
        default=WorkerDocumentSettings(), description="keys that documents must be signed with"
    )
    poll_interval_s: float = Field(
        default=1800, gt=0, description="interval between polls of the sender, in seconds"
    )
    follow_interval_s: float = Field(
        default=5, gt=0, description="interval between reads of the chain, in seconds"
    )
    reveal_turn_s: float = Field(
        default=4, ge=0, description="wait between members' turns to reveal, in seconds"
    )
    is_requester: bool = Field(
        default=False, description="whether this worker opens a round for each new document"
    )
    compute: ComputeSettings = Field(
        default=ComputeSettings(), description="where rounds are computed, and within which limits"
    )
    archive_key: PublicKey | None = Field(
        default=None, description="auditor's public key that each round's inputs are sealed to"
    )
    keep_rounds: int = Field(
        default=96, ge=1, description="number of newest final rounds whose bundles are kept"
    )
    keep_hours: float = Field(
        default=48,
        gt=0,
        description="hours for which the bundles of every final round are kept; those of a round "
        "that decides an interval to come are always kept",
    )
    max_rounds_per_hour: int = Field(
        default=12,
        ge=1,
        description="rounds that are computed within an hour; further ones are skipped, unless "
        "the sender names them as those of its newest document",
    )
    max_document_bytes: int = Field(
        default=512 * 2**20, gt=0, description="maximum size of a document, in bytes"
    )
    http_timeout_s: float = Field(
        default=30, gt=0, description="deadline of one request to a service, in seconds"
    )
