"""Settings of a listener: its address, and the limits of its connections."""

from __future__ import annotations

from ipaddress import ip_address

from pydantic import BaseModel, ConfigDict, Field

from oepnode.config.values import IpAddress, is_loopback


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
            return not is_loopback(self.host)
        return address.is_unspecified or address.is_global
