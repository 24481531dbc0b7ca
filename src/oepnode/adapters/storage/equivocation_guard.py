"""Record of the votes that a signer has signed for relays: never two for one round.

Guarantees: a vote, ballot or abstention, is on disk before `EquivocationGuard.keep` returns, and a
second, different one for the same round, contract and chain is rejected, also across processes and
crashes. Leaves out votes that the signer casts directly: the contract accepts those once. Source:
ADR 9.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import BinaryIO, Final

from msgspec import DecodeError, Struct
from msgspec import json as msgspec_json

from oepnode.domain.rounds.ballot import Vote
from oepnode.domain.rounds.context import RoundContext
from oepnode.errors import ConfigError, ConflictError, FatalError

_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_APPEND
_MODE: Final = 0o600


class _Line(Struct, frozen=True, forbid_unknown_fields=True):
    chain_id: int
    contract: str
    round: int
    ballot: str
    custody: str


class EquivocationGuard:
    """A file with one line of JSON for each signed vote.

    Args:
        path: The file; created if missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def keep(self, context: RoundContext, vote: Vote) -> None:
        """Record that this vote is about to be signed.

        Args:
            context: Chain, contract and round.
            vote: A ballot or an abstention.

        Raises:
            ConflictError: If another vote was signed for that round.
            ConfigError: If a line of the file is malformed.
            FatalError: If the record cannot be written.
        """
        line = _Line(
            chain_id=context.chain_id,
            contract="0x" + context.contract.hex(),
            round=context.number,
            ballot="0x" + vote.ballot.hex(),
            custody="0x" + vote.custody.hex(),
        )
        try:
            with os.fdopen(os.open(self._path, _FLAGS, _MODE), "rb+") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                if not self._is_known(file, line):
                    file.write(msgspec_json.encode(line) + b"\n")
                    file.flush()
                    os.fsync(file.fileno())
        except OSError as exc:
            raise FatalError(
                f"{self._path}: the vote cannot be recorded: {exc.strerror}; nothing was signed"
            ) from exc

    def _is_known(self, file: BinaryIO, line: _Line) -> bool:
        file.seek(0)
        for number, text in enumerate(file.read().splitlines(), 1):
            try:
                kept = msgspec_json.decode(text, type=_Line)
            except DecodeError as exc:
                raise ConfigError(
                    f"{self._path}: line {number} is not a signed vote; restore the file"
                ) from exc
            if (kept.chain_id, kept.contract, kept.round) != (
                line.chain_id,
                line.contract,
                line.round,
            ):
                continue
            if kept != line:
                raise ConflictError(
                    f"another vote was signed for round {line.round} of {line.contract} on chain "
                    f"{line.chain_id} ({self._path}, line {number}); two signed votes are "
                    "evidence against the worker"
                )
            return True
        return False
