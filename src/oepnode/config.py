"""Settings of the four long-running programs, parsed once from TOML and the environment.

A setting is read from the TOML file, and overridden by an environment variable named
``OEPNODE_…`` (nested with ``__``). Unknown names are errors. Secrets are in files that the settings
name, never in the settings themselves.
"""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from oepnode.domain.rounds.onchain import parse_address, parse_bytes32
from oepnode.domain.rounds.recipient_keys import parse_public_key
from oepnode.errors import ConfigError


def _address(text: str) -> str:
    return "0x" + parse_address(text).hex()


def _public_key(text: str) -> str:
    return parse_public_key(text).hex()


def _document_key(text: str) -> str:
    return parse_bytes32(text, "a public key (Ed25519)").hex()


def _ip_address(text: str) -> str:
    return str(ip_address(text))


def _operator(text: str) -> str:
    operator, equals, signer = text.replace(" ", "").partition("=")
    return _address(operator) + (f"={_address(signer)}" if equals else "")


Address = Annotated[str, AfterValidator(_address)]
Operator = Annotated[str, AfterValidator(_operator)]
IpAddress = Annotated[str, AfterValidator(_ip_address)]
PublicKey = Annotated[str, AfterValidator(_public_key)]
DocumentKey = Annotated[str, AfterValidator(_document_key)]


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
        description="blocks that are processed: those with `confirmations` blocks on top, or those "
        "that the chain calls finalized",
    )
    confirmations: int = Field(
        default=0, ge=0, description="blocks on top of a block before it is processed"
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
    if parts.scheme == "http" and not (allow_plain_http or _is_loopback(host)):
        raise ValueError(
            f"node {host}: plain http to another machine; use https, or set allow_plain_http if "
            "the network between is trusted"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


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


class HttpSettings(BaseModel):
    """Address that a program listens on, and the limits of its connections."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(
        default=0, ge=0, le=65535, description="port to listen on; 0 chooses a free one"
    )
    max_connections: int = Field(
        default=512,
        ge=16,
        description="maximum connections at once; fewer where the process may open few files",
    )
    max_connections_per_address: int = Field(
        default=128, ge=1, description="maximum connections of one address at once"
    )
    requests_per_second: float = Field(
        default=50,
        gt=0,
        description="requests a second of one address, on average; four times as many at once",
    )
    proxies: tuple[IpAddress, ...] = Field(
        default=("127.0.0.1", "::1"),
        description="addresses of reverse proxies in front, which limit each client themselves: "
        "neither limit per address applies to them",
    )

    @property
    def is_public(self) -> bool:
        """Whether it may be reached from anywhere: on all addresses, a global one, or a name."""
        try:
            address = ip_address(self.host)
        except ValueError:
            return not _is_loopback(self.host)
        return address.is_unspecified or address.is_global


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
    """Limits of the computing processes of a worker."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    memory_limit_mb: int = Field(
        default=2048,
        ge=256,
        description="maximum memory of a computing process, in MiB; a round that needs more is "
        "abstained from",
    )
    timeout_s: float = Field(
        default=900, gt=0, description="deadline of computing and sealing a round, in seconds"
    )


class _Settings(BaseSettings):
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
        return (env_settings, init_settings)


NODES_WITHOUT_LIST: Final = 3
"""Nodes that must be compared where no local list says who may read: one of them may lie."""


def _check_operators(operators: tuple[str, ...]) -> tuple[str, ...]:
    """Reject an operator that is listed twice: one entry could take the other's signer away."""
    addresses = [entry.partition("=")[0] for entry in operators]
    twice = next((one for one in addresses if addresses.count(one) > 1), None)
    if twice is not None:
        raise ValueError(f"operator {twice} is listed twice; keep one entry of it")
    return operators


Operators = Annotated[tuple[Operator, ...], AfterValidator(_check_operators)]


def _require_operators(operators: tuple[str, ...], chain: ChainSettings) -> None:
    if not operators and len(chain.rpc_urls) < NODES_WITHOUT_LIST:
        raise ValueError(
            "setting operators is missing; list the addresses of the operators whose workers may "
            f"read, or name {NODES_WITHOUT_LIST} nodes in chain.rpc_urls: one node could name "
            "anyone"
        )


class SenderSettings(_Settings):
    """Settings of ``oepnode sender serve``."""

    http: HttpSettings = Field(
        default=HttpSettings(), description="address that the gateway listens on"
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
            _require_operators(self.operators, self.chain)
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


class RegistrySettings(_Settings):
    """Settings of ``oepnode registry serve``."""

    http: HttpSettings = Field(
        default=HttpSettings(), description="address that the registry listens on"
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
    def _check_operators(self) -> RegistrySettings:
        _require_operators(self.operators, self.chain)
        return self

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


class RelaySettings(_Settings):
    """Settings of ``oepnode relay serve``."""

    http: HttpSettings = Field(
        default=HttpSettings(), description="address that the relay listens on"
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


class WorkerSettings(_Settings):
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
        default=ComputeSettings(), description="limits of the computing processes"
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


AnySettings = TypeVar("AnySettings", bound=_Settings)


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
    folder = path.resolve().parent
    absolute = {
        name: folder / value
        for name in kind.model_fields
        if isinstance(value := getattr(settings, name), Path)
    }
    return settings.model_copy(update=absolute)


def _problem(error: ErrorDetails) -> str:
    setting = ".".join(map(str, error["loc"]))
    if error["type"] == "missing":
        return f"setting {setting} is missing"
    if error["type"] == "extra_forbidden":
        return f"unknown setting {setting}"
    problem = error["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    return f"setting {setting}: {problem}" if setting else problem


def _read_toml(kind: type[_Settings], path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ConfigError(f"{path}: no such settings file")
    try:
        return TomlConfigSettingsSource(kind, toml_file=path)()
    except (OSError, ValueError) as exc:
        raise ConfigError(f"{path}: not readable as TOML: {exc}") from exc
