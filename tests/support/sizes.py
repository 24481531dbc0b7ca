"""The number of examples of a test, by the profile that ``tests/conftest.py`` has loaded."""

from hypothesis import settings

_FEWEST = 5
_FULL = 100
"""Examples of a test without a number of its own, in the profile ``ci``."""


def sized(examples: int) -> int:
    """This many examples in CI and with ``--campaign``, a quarter by default, five at least."""
    share = settings().max_examples / _FULL
    return max(_FEWEST, round(examples * share))
