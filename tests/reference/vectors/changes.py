"""A good document and a good snapshot, and how the vectors change them."""

from __future__ import annotations

from tests.reference.tokens import token
from tests.reference.vectors.common import SALT, digest
from tests.reference.vectors.documents import interval, nem, record, registry
from tests.reference.vectors.tokens import BLINDING_KEY

GOOD = record("6305888444", "NMI", [interval(nem(10, 5), "1.5", "-2")])
END = f'"diEndTime":"{nem(10, 5)}"'
START = f'"diStartTime":"{nem(10, 0)}"'


def swap(old: str, new: str, text: str = GOOD) -> str:
    """The good record with one thing changed, as an array."""
    if text.count(old) != 1:
        raise AssertionError((old, text))
    return f"[{text.replace(old, new)}]"


def two(change_old: str, change_new: str, text: str = GOOD) -> str:
    """The good record, and behind it the same with one thing changed."""
    return f"[{text},{swap(change_old, change_new, text)[1:-1]}]"


def day_of(count: int, more: str) -> str:
    """A record of intervals without times."""
    bare = '{"activePowerExportLimit":1,"activePowerImportLimit":-1}'
    return f"[{record('6305888444', 'NMI', [bare] * count, more)}]"


RECORD = "$.records[0]"
ELEMENT = RECORD + ".operatingEnvelopes[0]"
INTERVAL = ELEMENT + ".intervals[0]"
TOKEN = token(BLINDING_KEY, "6305888444")
OBJECTIVE = '"Maximise service"'

# 2016 intervals of one site need 126 rows.
LAST = GOOD.replace(nem(10, 5), "2026-11-27T10:00:00+10:00")
DENSE = f"[{','.join([GOOD] * 125)},{LAST}]"
SPARSE = f"[{','.join([GOOD] * 124)},{LAST}]"

ASSIGNMENT = "$.assignments[0]"
NONCE = digest("nonce").hex()
GOOD_REGISTRY = registry([("6305888444", "north", nem(4, 0), None)], SALT)


def reg(old: str, new: str) -> str:
    """The good snapshot with one thing changed."""
    if GOOD_REGISTRY.count(old) != 1:
        raise AssertionError(old)
    return GOOD_REGISTRY.replace(old, new)


def assigned(*assignments: tuple[str, str, str, str | None]) -> str:
    """A snapshot with these assignments."""
    return registry(list(assignments), SALT)
