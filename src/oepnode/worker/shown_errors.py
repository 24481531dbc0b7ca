"""Errors as a worker's pages show them: their kind and their code, never another party's words.

The message of an error can quote a node of the chain or a service, and with it an access key or
anything else that they choose to write. The full message goes into the log.
"""

from __future__ import annotations

import re
from typing import Final

from oepnode.errors import ConfigError, ConflictError, EvidenceError, OepError, TransportError

_CODE: Final = re.compile(r"[A-Za-z0-9_.]{1,48}", re.ASCII)
_KINDS: Final[tuple[tuple[type[OepError], str], ...]] = (
    (TransportError, "no usable response"),
    (ConflictError, "rejected"),
    (EvidenceError, "wrong data"),
    (ConfigError, "wrong configuration"),
)


def shown_error(error: OepError) -> str:
    """An error's kind, and its code where it has one, such as ``rejected (worker.unknown)``."""
    kind = next((word for family, word in _KINDS if isinstance(error, family)), "internal error")
    code = f" ({error.code})" if _CODE.fullmatch(error.code) else ""
    return f"{kind}{code}; the log has the details"
