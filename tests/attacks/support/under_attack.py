"""Starts a target and its attackers, and asks as an enrolled worker does."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from eth_account import Account
from eth_account.signers.local import LocalAccount

from oepnode.adapters.clock import SystemClock
from oepnode.adapters.crypto.ballot_signature import sign_ballot
from oepnode.adapters.http.client import HttpClient
from oepnode.adapters.http.registry import HttpRegistry
from oepnode.adapters.http.sender import HttpSender
from oepnode.adapters.http.signed_client import RequestSigner
from oepnode.demo.processes import Child
from oepnode.domain.rounds.ballot import Vote
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.signed_ballots import Relayed, encode
from oepnode.domain.rounds.signed_requests import (
    DocumentRequest,
    RegistryRequest,
    encode_authorization,
    encode_request,
)
from oepnode.errors import TransportError
from tests.attacks.support import target
from tests.support.fake_chain import CHAIN_ID, CONTRACT

DEADLINE_S = 10.0
"""For an enrolled worker's request under attack; far more than it takes."""
VOTE = Vote(b"\x01" * 32, b"\x02" * 32)


@contextmanager
def service(name: str, folder: Path, without: str = "") -> Iterator[str]:
    """A service in a process of its own; yields its URL."""
    (folder / name).mkdir(mode=0o700)
    command = [sys.executable, "-m", "tests.attacks.support.target", name, str(folder / name)]
    child = Child(name, [*command, without] if without else command, folder / f"{name}.log")
    try:
        yield str(child.announcement()["listening"])
    finally:
        child.stop()


@contextmanager
def crowd(kind: str, count: int, url: str, folder: Path, *files: Path) -> Iterator[int]:
    """Attackers in a process of their own; yields the number of connections that were opened."""
    command = [sys.executable, "-m", "tests.attacks.support.crowd", kind, str(count), url]
    log = folder / f"{kind}.log"
    child = Child(kind, [*command, *map(str, files)], log)
    try:
        yield int(next(iter(child.announcement().values())))
    finally:
        child.kill()


def request_signer(
    account: LocalAccount = target.WORKER, timeout_s: float = DEADLINE_S
) -> RequestSigner:
    """Signs requests for the round of `target`."""
    return RequestSigner(account, CHAIN_ID, CONTRACT, SystemClock(), 2**20, timeout_s)


async def ask_registry(url: str) -> None:
    """An enrolled worker's request for the salt."""
    client = HttpRegistry(url, request_signer())
    try:
        assert await client.salt(target.ROUND, target.DIGEST) == target.SALT
    finally:
        await client.close()


async def ask_sender(url: str) -> None:
    """An enrolled worker's request for the document."""
    client = HttpSender(url, request_signer())
    try:
        assert await client.document(target.ROUND, target.DOCUMENT_DIGEST) == target.DOCUMENT
    finally:
        await client.close()


async def ask_relay(url: str) -> None:
    """A worker's ballot, handed in; the same one again is held already."""
    context = RoundContext(CHAIN_ID, CONTRACT, target.ROUND)
    line = encode(Relayed(context, sign_ballot(target.WORKER, context, VOTE)))
    client = HttpClient(url, DEADLINE_S)
    try:
        await client.send("POST", "/v1/ballots", "ballot", limit=1000, body=lambda: line)
    finally:
        await client.close()


async def ask_worker(url: str) -> None:
    """An aggregator's request for its bundle."""
    client = HttpClient(url, DEADLINE_S)
    try:
        path = f"/v1/rounds/{target.ROUND}/bundles/{'0a' * 32}"
        assert await client.get(path, "bundle", 2**20) == target.BUNDLE
    finally:
        await client.close()


ASK: dict[str, Callable[[str], Awaitable[None]]] = {
    "registry": ask_registry,
    "sender": ask_sender,
    "relay": ask_relay,
    "worker": ask_worker,
}


async def longest_wait(name: str, url: str, times: int = 5) -> float:
    """The longest time that an enrolled worker waited for an answer, of several, in seconds.

    Raises:
        TimeoutError: If one took longer than `DEADLINE_S`.
        TransportError: If one failed.
    """
    longest = 0.0
    for _ in range(times):
        start = time.monotonic()
        async with asyncio.timeout(DEADLINE_S):
            await ASK[name](url)
        longest = max(longest, time.monotonic() - start)
        await asyncio.sleep(0.2)
    print(f"{name}: longest wait {longest:.3f} s")
    return longest


async def is_served(name: str, url: str, within_s: float = 1.0) -> bool:
    """Whether an enrolled worker gets its answer in time."""
    try:
        async with asyncio.timeout(within_s):
            await ASK[name](url)
    except (TimeoutError, TransportError):
        return False
    return True


def foreign_requests(
    folder: Path, name: str, signers: int = 20, *, claims_worker: bool = False
) -> list[Path]:
    """HTTP requests to a service, each signed by another stranger for the round of `target`.

    Args:
        folder: Folder for the files.
        name: The service.
        signers: Number of strangers.
        claims_worker: Name the worker as the signer, where a request names one.
    """
    files = []
    for number in range(signers):
        stranger = Account.from_key(bytes([0x80 + number]) * 32)
        path = folder / f"request-{number}"
        path.write_bytes(_foreign_request(name, stranger, claims_worker=claims_worker))
        files.append(path)
    return files


def _foreign_request(name: str, stranger: LocalAccount, *, claims_worker: bool) -> bytes:
    signer, nonce, issued_at = request_signer(stranger).last_fields()
    if claims_worker:
        signer = request_signer().last_fields()[0]
    if name == "relay":
        context = RoundContext(CHAIN_ID, CONTRACT, target.ROUND)
        body = encode(Relayed(context, sign_ballot(stranger, context, VOTE)))
        return _post("/v1/ballots", body)
    if name == "registry":
        wanted = RegistryRequest(
            "salt", target.ROUND, target.DIGEST, b"\x09" * 32, signer, nonce, issued_at
        )
        signature = request_signer(stranger).sign(wanted)
        return _post("/v1/requests", encode_request(wanted, signature))
    document = DocumentRequest(target.ROUND, target.DOCUMENT_DIGEST, signer, nonce, issued_at)
    header = encode_authorization(document, request_signer(stranger).sign(document))
    path = f"/v1/documents/{target.DOCUMENT_DIGEST.hex()}"
    return f"GET {path} HTTP/1.1\r\nHost: target\r\nAuthorization: {header}\r\n\r\n".encode()


def _post(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: target\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
