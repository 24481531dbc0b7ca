"""Settings of the four long-running programs, parsed once from TOML and the environment.

A setting is read from the TOML file, and overridden by an environment variable named
``OEPNODE_…`` (nested with ``__``). Unknown names are errors. Secrets are named by files, never
written into the settings themselves.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from oepnode.errors import ConfigError


def _address(text: str) -> str:
    digits = text.removeprefix("0x")
    if len(digits) != 40 or any(c not in "0123456789abcdefABCDEF" for c in digits):
        raise ValueError("an address is 0x and 40 hex digits")
    return "0x" + digits.lower()


def _public_key(text: str) -> str:
    if len(text) != 64 or any(c not in "0123456789abcdefABCDEF" for c in text):
        raise ValueError("a public key is 64 hex digits")
    return text.lower()


Address = Annotated[str, AfterValidator(_address)]
PublicKey = Annotated[str, AfterValidator(_public_key)]


class ChainSettings(BaseModel):
    """Which contract on which chain, and how to reach it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rpc_url: str = Field(description="JSON-RPC endpoint of a node of the chain")
    chain_id: int = Field(ge=1, description="EIP-155 chain id; a node of another chain is rejected")
    contract: Address = Field(description="address of OepConsensus")
    start_block: int = Field(default=0, ge=0, description="block of the contract's deployment")
    confirmations: int = Field(
        default=0, ge=0, description="blocks on top of one before it is believed"
    )
    timeout_s: float = Field(default=20, gt=0, description="deadline of one request to the node")
    receipt_timeout_s: float = Field(
        default=60, gt=0, description="how long a transaction may take"
    )


class FeedSettings(BaseModel):
    """What sender and operators agreed about the documents."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    profile: Literal["wide", "edge"] = Field(
        default="wide", description="decimals and range of limits"
    )
    import_sign: Literal["canonical", "magnitude"] = Field(
        default="canonical", description="how import limits are written"
    )


class HttpSettings(BaseModel):
    """Where a program listens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(
        default=0, ge=0, le=65535, description="port to listen on; 0 takes a free one"
    )


class WorkerRelaySettings(BaseModel):
    """Who brings a worker's ballots to the chain, so that its signer pays nothing for them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str | None = Field(
        default=None, description="relay that casts this worker's ballots; none: it casts directly"
    )
    # The least holds the longest wait of a worker between two tries, and a relay that says nothing.
    direct_before_s: int = Field(
        default=60,
        ge=45,
        description="a ballot that is not on chain so long before the vote's end is cast directly; "
        "in a shorter vote every ballot is",
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


class SenderSettings(_Settings):
    """Settings of ``oepnode sender serve``."""

    http: HttpSettings = Field(default=HttpSettings(), description="where the gateway listens")
    chain: ChainSettings = Field(description="the consensus contract")
    feed: FeedSettings = Field(
        default=FeedSettings(), description="what the feed's documents look like"
    )
    data_dir: Path = Field(description="documents and index")
    key_file: Path = Field(description="key of an account with REQUESTER_ROLE")
    token_file: Path = Field(description="bearer token for publishing documents")
    max_document_bytes: int = Field(
        default=512 * 2**20, gt=0, description="largest document accepted"
    )
    document_access: Literal["members", "anyone"] = Field(
        default="members",
        description="who may read documents: enrolled workers by a signed request, or anyone",
    )
    request_window_s: int = Field(
        default=120, gt=0, description="how far a request's time may be off"
    )


class RegistrySettings(_Settings):
    """Settings of ``oepnode registry serve``."""

    http: HttpSettings = Field(default=HttpSettings(), description="where the registry listens")
    chain: ChainSettings = Field(description="the consensus contract")
    data_dir: Path = Field(description="snapshots, salts and index")
    max_request_bytes: int = Field(default=64 * 2**10, gt=0, description="largest request accepted")
    request_window_s: int = Field(
        default=120, gt=0, description="how far a request's time may be off"
    )


class RelaySettings(_Settings):
    """Settings of ``oepnode relay serve``."""

    http: HttpSettings = Field(default=HttpSettings(), description="where the relay listens")
    chain: ChainSettings = Field(description="the consensus contract")
    data_dir: Path = Field(description="evidence of members that signed two ballots of a round")
    key_file: Path = Field(description="key of the account that pays for the ballots")
    batch_after_s: float = Field(
        default=5, ge=0, description="how long a ballot waits for others to be cast with it"
    )
    look_interval_s: float = Field(default=1, gt=0, description="how often the chain is asked")


class WorkerSettings(_Settings):
    """Settings of ``oepnode worker run``."""

    http: HttpSettings = Field(
        default=HttpSettings(), description="where status and bundles are served"
    )
    chain: ChainSettings = Field(description="the consensus contract")
    feed: FeedSettings = Field(
        default=FeedSettings(), description="what the feed's documents look like"
    )
    data_dir: Path = Field(description="database and archive of this worker")
    key_file: Path = Field(description="key of this worker's signer")
    operator: Address = Field(description="lasting address of this worker's operator")
    sender_url: str = Field(description="the sender's gateway")
    registry_url: str = Field(description="the NMI registry")
    relay: WorkerRelaySettings = Field(
        default=WorkerRelaySettings(), description="who brings this worker's ballots to the chain"
    )
    poll_interval_s: float = Field(default=1800, gt=0, description="how often the sender is asked")
    follow_interval_s: float = Field(default=5, gt=0, description="how often the chain is asked")
    reveal_turn_s: float = Field(
        default=4, ge=0, description="wait between members' turns to reveal"
    )
    is_requester: bool = Field(
        default=False, description="open a round for a new document by itself"
    )
    archive_key: PublicKey | None = Field(
        default=None, description="auditor's public key to seal each round's inputs to"
    )
    keep_rounds: int = Field(default=96, ge=1, description="rounds whose bundles are kept")
    max_document_bytes: int = Field(
        default=512 * 2**20, gt=0, description="largest document fetched"
    )
    http_timeout_s: float = Field(
        default=30, gt=0, description="deadline of one request to a service"
    )


AnySettings = TypeVar("AnySettings", bound=_Settings)


def load(kind: type[AnySettings], path: Path) -> AnySettings:
    """Read the settings of a program.

    Relative paths in the file count from the file's folder.

    Raises:
        ConfigError: If the file cannot be read, or a setting is unknown, missing or wrong.
    """
    try:
        values: dict[str, Any] = (
            TomlConfigSettingsSource(kind, toml_file=path)() if (path.is_file()) else {}
        )
    except (OSError, ValueError) as exc:
        raise ConfigError(f"{path}: not readable as TOML: {exc}") from exc
    if not path.is_file():
        raise ConfigError(f"{path}: no such settings file")
    try:
        settings = kind(**values)
    except ValidationError as exc:
        lines = "; ".join(
            f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}"
            for error in exc.errors()
        )
        raise ConfigError(f"{path}: {lines}") from exc
    folder = path.resolve().parent
    moved = {
        name: folder / value
        for name in kind.model_fields
        if isinstance(value := getattr(settings, name), Path)
    }
    return settings.model_copy(update=moved)
