"""Signed documents (signatures.md): the message, and which sequence numbers are replays."""

from __future__ import annotations

from dataclasses import dataclass, field


def document_message(kind: str, digest: bytes, size: int, sequence: int) -> bytes:
    """The bytes that a network signs."""
    number = {"envelope": 1, "snapshot": 2}[kind]
    return (
        b"oep1 document"
        + bytes([number])
        + digest
        + size.to_bytes(8, "big")
        + sequence.to_bytes(8, "big")
    )


@dataclass
class Service:
    """What a gateway or a registry knows: (key, document) → its highest number."""

    known: dict[tuple[str, str], int] = field(default_factory=dict)

    def publish(self, key: str, document: str, sequence: int) -> bool:
        """Whether the statement is accepted."""
        if self.known.get((key, document)) == sequence:
            return True
        if any(k == key and sequence <= number for (k, _), number in self.known.items()):
            return False
        self.known[key, document] = sequence
        return True


@dataclass
class Worker:
    """What a worker knows: (kind, key, round) → (number, document)."""

    known: dict[tuple[str, str, int], tuple[int, str]] = field(default_factory=dict)

    def compute(self, kind: str, key: str, document: str, sequence: int, number: int) -> bool:
        """Whether the document is accepted for the round."""
        for (other_kind, other_key, earlier), (highest, name) in self.known.items():
            if (other_kind, other_key) != (kind, key) or earlier >= number:
                continue
            if highest > sequence or (highest == sequence and name != document):
                return False
        self.known[kind, key, number] = (sequence, document)
        return True
