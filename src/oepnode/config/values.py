"""Kinds of values in settings, which are checked as they are read."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated

from pydantic import AfterValidator

from oepnode.domain.rounds.onchain import parse_address, parse_bytes32
from oepnode.domain.rounds.recipient_keys import parse_public_key


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


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: a loopback address, or ``localhost``."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
