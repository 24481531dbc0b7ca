"""Limits of a listener from settings and open files."""

import resource

import pytest

from oepnode.adapters.http.server.limits import RESERVED_FILES, limits_of, raise_file_limit
from oepnode.config import HttpSettings


def test_the_settings_hold_where_there_are_files_enough() -> None:
    http = HttpSettings(
        max_connections=300,
        max_connections_per_address=20,
        requests_per_second=7,
        proxies=("192.0.2.1",),
    )
    limits = limits_of(http, 65_536)
    assert (limits.connections, limits.per_address) == (300, 20)
    assert (limits.requests_per_s, limits.burst) == (7, 28)
    assert limits.proxies == {"192.0.2.1"}


@pytest.mark.parametrize("open_files", [1024, 512, 4096])
def test_two_listeners_and_their_files_leave_the_reserve(open_files: int) -> None:
    connections = limits_of(HttpSettings(max_connections=100_000), open_files).connections
    assert 3 * connections + RESERVED_FILES <= open_files
    assert connections > 50


def test_very_few_files_still_serve_someone() -> None:
    limits = limits_of(HttpSettings(), 100)
    assert limits.connections == limits.per_address == 16


def test_the_soft_limit_is_raised_to_the_hard_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 4096))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: asked.append(limits))
    assert raise_file_limit() == 4096
    assert asked == [(4096, 4096)]


@pytest.mark.parametrize(
    ("present", "limit"),
    [
        ((4096, 4096), 4096),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), 65_536),
        ((100_000, 200_000), 100_000),
    ],
)
def test_a_limit_that_is_high_enough_stays(
    monkeypatch: pytest.MonkeyPatch, present: tuple[int, int], limit: int
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the limit must stay")

    monkeypatch.setattr(resource, "getrlimit", lambda _: present)
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert raise_file_limit() == limit
