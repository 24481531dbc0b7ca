"""Unit tests touch no network; the pairs of Unix sockets that event loops need are allowed."""

from collections.abc import Iterator

import pytest
import pytest_socket
from hypothesis import settings

# No deadline for one example: a busy machine would make tests fail that are right.
settings.register_profile("unit", deadline=None)
settings.load_profile("unit")


@pytest.fixture(autouse=True)
def no_network() -> Iterator[None]:
    pytest_socket.disable_socket(allow_unix_socket=True)
    yield
    pytest_socket.enable_socket()
