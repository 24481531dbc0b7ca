"""Survivors that were looked at: contracts/accepted-mutants.toml.

A mutant is found again by the texts of its lines, not by their numbers, so that the list survives
changes elsewhere in a file. An entry that fits no mutant any more is an error: the list names what
is accepted today.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.operators import Mutant

_FIELDS = {"file", "original", "changed", "reason"}


class ListError(Exception):
    """The list of accepted survivors is malformed or out of date."""


@dataclass(frozen=True)
class Accepted:
    """The accepted survivors, each with its reason, by file and the two texts."""

    reasons: dict[tuple[str, str, str], str]

    @classmethod
    def read(cls, path: Path) -> Accepted:
        """Read the list.

        Raises:
            ListError: An entry lacks a field, has an unknown one or no reason, or is a duplicate.
        """
        reasons: dict[tuple[str, str, str], str] = {}
        for number, entry in enumerate(tomllib.loads(path.read_text("utf-8"))["accepted"], 1):
            if set(entry) != _FIELDS or not all(str(entry[field]).strip() for field in _FIELDS):
                raise ListError(f"{path.name}, entry {number}: needs {', '.join(sorted(_FIELDS))}")
            key = (entry["file"], entry["original"], entry["changed"])
            if key in reasons:
                raise ListError(f"{path.name}, entry {number}: stands in the list already")
            reasons[key] = entry["reason"]
        return cls(reasons)

    def reason(self, mutant: Mutant) -> str | None:
        """Why this mutant may survive; None where it may not."""
        return self.reasons.get(_key(mutant))

    def require_current(self, mutants: Sequence[Mutant]) -> None:
        """Check that each entry is a mutant of the sources.

        Raises:
            ListError: One is not.
        """
        known = {_key(mutant) for mutant in mutants}
        for file, original, changed in self.reasons:
            if (file, original, changed) not in known:
                raise ListError(
                    f"accepted survivor that is no mutant of {file} any more; remove it from the "
                    f"list:\n  - {original}\n  + {changed}"
                )


def _key(mutant: Mutant) -> tuple[str, str, str]:
    return mutant.file, mutant.original, mutant.changed
