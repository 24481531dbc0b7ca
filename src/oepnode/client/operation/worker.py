"""A worker's surroundings checked before it runs, and its own status while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from oepnode.client import chain as chains
from oepnode.config import WorkerSettings
from oepnode.errors import ComputationFault, ConfigError, OepError, TransportError
from oepnode.worker.lateness import window_problem
from oepnode.worker.status.view import WorkerStatus

if TYPE_CHECKING:
    from oepnode.wiring import WorkerParts


class CheckLine(Struct, frozen=True):
    """One check of a worker's surroundings: its name, its verdict, and the details."""

    check: str
    fine: bool
    what: str


def check_worker(settings: WorkerSettings) -> tuple[CheckLine, ...]:
    """Check folders, listeners, cluster, key, chain, windows, membership, balance, services."""
    return tuple(chains.run(_check_surroundings(settings)))


async def _check_surroundings(settings: WorkerSettings) -> list[CheckLine]:
    from oepnode.wiring import worker_parts

    lines = [_folder(settings), _listeners(settings)]
    if settings.compute.engine == "dask":
        lines.append(await asyncio.to_thread(_cluster, settings))
    try:
        async with worker_parts(settings) as parts:
            head = await parts.chain.head()
            chain_id = parts.chain.chain_id
            lines.append(CheckLine("chain", True, f"chain {chain_id}, block {head.number}"))
            lines.append(await _windows(parts))
            lines.append(await _membership(settings, parts))
            lines.append(await _balance(parts))
            lines.append(await _service("sender", parts.sender.latest))
            lines.append(await _service("registry", parts.registry.latest_digest))
            if parts.relay is not None:
                lines.append(await _relay(parts))
    except OepError as exc:
        lines.append(CheckLine("chain", False, str(exc)))
    return lines


def worker_status(url: str) -> WorkerStatus:
    """Ask a running worker for its status, on its operator's listener.

    Raises:
        TransportError: If no oepnode worker responds at this URL.
    """
    from oepnode.adapters.http.probe import get

    try:
        body = get(url.rstrip("/") + "/v1/status", timeout_s=10)
        return msgspec.json.decode(body, type=WorkerStatus)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as exc:
        raise TransportError(
            f"{url}: no oepnode worker responded at this URL; give the URL of "
            "its status listener (settings status.host, status.port)"
        ) from exc


def _folder(settings: WorkerSettings) -> CheckLine:
    from oepnode.adapters.storage.private import check_private

    try:
        check_private(settings.data_dir, "data_dir")
    except ConfigError as exc:
        return CheckLine("data folder", False, str(exc))
    return CheckLine("data folder", True, "for its owner alone")


def _listeners(settings: WorkerSettings) -> CheckLine:
    host = settings.status.host
    if not settings.status.is_public:
        return CheckLine("status listener", True, f"on {host}, for the operator")
    return CheckLine(
        "status listener",
        False,
        f"{host or 'every address'} (status.host) may show the operator's pages to anyone; set "
        "127.0.0.1 or an address of a private network",
    )


def _cluster(settings: WorkerSettings) -> CheckLine:
    from oepnode.adapters.computing.dask_cluster import check_cluster
    from oepnode.wiring import cluster_of

    cluster = cluster_of(settings)
    if cluster is None:
        raise AssertionError("the settings name a cluster")
    try:
        return CheckLine("cluster", True, check_cluster(cluster))
    except ComputationFault as exc:
        return CheckLine("cluster", False, str(exc))


async def _windows(parts: WorkerParts) -> CheckLine:
    head = await parts.chain.head()
    behind_s = max(0, await parts.chain.newest_time() - head.time)
    windows = await parts.chain.current_electorate()
    problem = window_problem(windows, behind_s)
    what = problem or (
        f"{windows.vote_window_s} s to vote and {windows.reveal_window_s} s to reveal; a block is "
        f"believed {behind_s} s after the newest"
    )
    return CheckLine("windows", not problem, what)


async def _membership(settings: WorkerSettings, parts: WorkerParts) -> CheckLine:
    chain = parts.chain
    member = await chain.member_of_signer(chain.signer)
    if member is not None and chains.hexed(member.operator) == settings.operator:
        return CheckLine("membership", True, "the signer votes for this operator")
    return CheckLine(
        "membership",
        False,
        f"the signer {chains.hexed(chain.signer)} holds no seat of {settings.operator}; "
        "have an administrator add this worker, or set operator and key_file",
    )


async def _balance(parts: WorkerParts) -> CheckLine:
    balance = await parts.chain.balance_wei(parts.chain.signer)
    amount = f"{balance / 1e18:.6f} of the chain's currency"
    if not balance and parts.relay is not None:
        amount += "; the relay pays for its ballots, abstentions and reveals"
    return CheckLine("fee money", balance > 0 or parts.relay is not None, amount)


async def _service(name: str, latest: Callable[[], Awaitable[object]]) -> CheckLine:
    try:
        return CheckLine(name, True, "responds" if await latest() else "responds, has nothing yet")
    except OepError as exc:
        return CheckLine(name, False, str(exc))


async def _relay(parts: WorkerParts) -> CheckLine:
    if parts.relay is None:
        raise ConfigError("no relay is configured")
    try:
        await parts.relay.check(parts.chain.chain_id, parts.chain.contract)
    except OepError as exc:
        return CheckLine("relay", False, str(exc))
    return CheckLine("relay", True, "takes ballots for this contract")
