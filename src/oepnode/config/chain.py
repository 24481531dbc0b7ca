"""Settings of the chain: contract, nodes, finality, deadlines and fees."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from oepnode.config.values import Address, is_loopback


class ChainSettings(BaseModel):
    """The consensus contract, its chain and the nodes that serve it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rpc_urls: tuple[str, ...] = Field(
        min_length=1,
        description="JSON-RPC URLs of nodes of the chain, of different operators; every answer is "
        "compared, and a single node is believed without comparison",
    )
    agree: int | None = Field(
        default=None,
        ge=1,
        description="number of nodes that must give the same answer; without it all of one or two, "
        "and the majority of three or more; never half or fewer",
    )
    chain_id: int = Field(ge=1, description="EIP-155 chain id; a node of another chain is rejected")
    contract: Address = Field(description="address of OepConsensus")
    start_block: int = Field(default=0, ge=0, description="block of the contract's deployment")
    finality: Literal["depth", "finalized"] = Field(
        default="depth",
        description="blocks that are believed: those with `confirmations` blocks on top, or those "
        "that the chain calls finalized",
    )
    confirmations: int | None = Field(
        default=None,
        ge=0,
        description="blocks on top of a block before it is believed; without it 12, and 0 on the "
        "development chain 31337",
    )
    max_head_age_s: float | None = Field(
        default=None,
        gt=0,
        description="maximum age of the newest block, in seconds; without it 600, and unlimited on "
        "the development chain 31337",
    )
    max_head_lead_s: float | None = Field(
        default=None,
        ge=0,
        description="maximum lead of the newest block's time over the clock, in seconds; without "
        "it 60, and unlimited on the development chain 31337",
    )
    timeout_s: float = Field(
        default=20, gt=0, description="deadline of one request to a node, in seconds"
    )
    receipt_timeout_s: float = Field(
        default=60, gt=0, description="deadline of one transaction, in seconds"
    )
    max_response_bytes: int = Field(
        default=32 * 2**20, gt=0, description="maximum size of one answer of a node, in bytes"
    )
    max_fee_gwei: float = Field(
        default=500, gt=0, description="maximum price of a unit of gas, in 10⁻⁹ of the chain's coin"
    )
    max_fee_per_tx: float = Field(
        default=0.5, gt=0, description="maximum fee of one transaction, in the chain's coin"
    )
    fee_budget_per_day: float = Field(
        default=5, gt=0, description="maximum fees of 24 hours, in the chain's coin"
    )
    allow_plain_http: bool = Field(
        default=False,
        description="whether a node on another machine may be reached by http, where anyone on "
        "the path can change its answers",
    )

    @model_validator(mode="after")
    def _check_nodes(self) -> ChainSettings:
        for url in self.rpc_urls:
            check_node_url(url, allow_plain_http=self.allow_plain_http)
        if len(set(self.rpc_urls)) < len(self.rpc_urls):
            raise ValueError("rpc_urls names a node twice; its answers would count twice")
        nodes = len(self.rpc_urls)
        if self.agree is not None and not nodes < 2 * self.agree <= 2 * nodes:
            raise ValueError(
                f"agree is {self.agree} of {nodes} nodes; set it from {nodes // 2 + 1} to {nodes}"
            )
        return self

    @property
    def quorum(self) -> int:
        """Number of nodes that must give the same answer."""
        return self.agree or len(self.rpc_urls) // 2 + 1


def check_node_url(url: str, *, allow_plain_http: bool) -> None:
    """Check the URL of a node: HTTP, and encrypted unless it is on this machine.

    Raises:
        ValueError: Otherwise; the message does not contain the URL, which may hold a key.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        raise ValueError("malformed URL of a node") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("the JSON-RPC URL of a node must start with http:// or https://")
    if parts.scheme == "http" and not (allow_plain_http or is_loopback(host)):
        raise ValueError(
            f"node {host}: plain http to another machine; use https, or set allow_plain_http if "
            "the network between is trusted"
        )
