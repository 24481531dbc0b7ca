"""The messages of a gateway: each document that was received, with its acknowledgements.

Guarantees: a message is stored before its system acknowledgement is given, and survives a restart;
the same bytes are the same message. Source: Part C §3.2.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from msgspec import Struct
from msgspec import json as msgspec_json

from oepnode.adapters.storage.sqlite_index import Index
from oepnode.domain.edge.envelopes.publication import DocumentFacts
from oepnode.domain.edge.validation.acknowledgement import AcknowledgementReport, FindingReport
from oepnode.services.sender.openings import Opening

MESSAGES_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS messages (
    message_id TEXT PRIMARY KEY,
    digest BLOB NOT NULL,
    size INTEGER NOT NULL,
    received_at REAL NOT NULL,
    registry_digest BLOB,
    statement BLOB,
    verdict BLOB
);
"""

RECEIVED: Final = "received"


class Failure(Struct, frozen=True):
    """Why something could not be done: a stable code, and a sentence."""

    code: str
    message: str


class Verdict(Struct, frozen=True):
    """The outcome of a message.

    Attributes:
        code: ``accepted`` or ``rejected``.
        system: The answer to its form.
        transaction: The answer to its content.
        facts: Facts about the document; None where it breaks a rule.
        opening: Why the requested round could not be opened, or None.
    """

    code: Literal["accepted", "rejected"]
    system: AcknowledgementReport
    transaction: AcknowledgementReport
    facts: DocumentFacts | None
    opening: Failure | None = None


class Message(Struct, frozen=True):
    """A document that was received.

    Attributes:
        id: Names the submission; made of its digest.
        digest: SHA-256 of the document as it is stored.
        size: Its size in bytes.
        received_at: UTC seconds.
        registry_digest: SHA-256 of the snapshot, if its round is to be opened.
        statement: The signed statement about the document as JSON, or None.
        verdict: The outcome, or None before it is known.
    """

    id: str
    digest: bytes
    size: int
    received_at: float
    registry_digest: bytes | None
    statement: bytes | None = None
    verdict: Verdict | None = None

    @property
    def code(self) -> str:
        """`RECEIVED`, ``accepted`` or ``rejected``."""
        return RECEIVED if self.verdict is None else self.verdict.code

    def answer(self, opening: Opening | None, *, is_busy: bool) -> dict[str, Any]:
        """The message as it is encoded in JSON.

        Args:
            opening: The opening of its round, or None.
            is_busy: Whether it is being checked, or its round opened.
        """
        verdict = self.verdict
        system = received(self.id) if verdict is None else verdict.system
        return {
            "messageId": self.id,
            "digest": self.digest.hex(),
            "size": self.size,
            "code": self.code,
            "busy": is_busy,
            "system": system,
            "transaction": None if verdict is None else verdict.transaction,
            "facts": None if verdict is None else verdict.facts,
            "round": None if opening is None else opening.round,
            "settled": None if opening is None else opening.is_settled,
            "opening": None if verdict is None else verdict.opening,
        }


def received(message_id: str) -> AcknowledgementReport:
    """The system acknowledgement at once: all bytes have arrived and are stored."""
    return acknowledgement("system", message_id, RECEIVED, "data received; the check follows")


def acknowledgement(
    kind: str, message_id: str, code: str, message: str, *faults: FindingReport
) -> AcknowledgementReport:
    """An acknowledgement by the gateway itself."""
    return AcknowledgementReport(
        acknowledgement=kind,
        message_id=message_id,
        code=code,
        message=message,
        counts={fault.code: fault.count for fault in faults},
        faults=faults,
        warning_counts={},
        warnings=(),
    )


class MessageStore:
    """The messages of a gateway.

    Args:
        index: An index with the table of `MESSAGES_SCHEMA`.
    """

    def __init__(self, index: Index) -> None:
        self._index = index

    def put(self, message: Message) -> None:
        """Store a message, in place of an earlier one of the same document."""
        verdict = None if message.verdict is None else msgspec_json.encode(message.verdict)
        with self._index.transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO messages VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    message.id,
                    message.digest,
                    message.size,
                    message.received_at,
                    message.registry_digest,
                    message.statement,
                    verdict,
                ),
            )

    def of(self, message_id: str) -> Message | None:
        """A message by its id, or None."""
        with self._index.transaction() as db:
            row = db.execute(f"{_SELECT} WHERE message_id = ?", (message_id,)).fetchone()
        return None if row is None else _message(row)

    def unfinished(self) -> list[Message]:
        """Messages without a verdict, the earliest first."""
        with self._index.transaction() as db:
            rows = db.execute(f"{_SELECT} WHERE verdict IS NULL ORDER BY received_at").fetchall()
        return [_message(row) for row in rows]

    def drop(self, message_id: str) -> None:
        """Forget a message."""
        with self._index.transaction() as db:
            db.execute("DELETE FROM messages WHERE message_id = ?", (message_id,))


_SELECT: Final = (
    "SELECT message_id, digest, size, received_at, registry_digest, statement, verdict"
    " FROM messages"
)


def _message(row: tuple[Any, ...]) -> Message:
    message_id, digest, size, received_at, registry_digest, statement, verdict = row
    decoded = None if verdict is None else msgspec_json.decode(verdict, type=Verdict)
    return Message(message_id, digest, size, received_at, registry_digest, statement, decoded)
