"""Blinds an envelope document or a registry snapshot: tokens for NMIs, in a stream.

Guarantees: every other byte stays as it is; a text in a place that the form does not have is
rejected, and so is an NMI in a free text, so that nothing that comes out holds an NMI of the
document. A document of tokens passes unchanged; one of both kinds is rejected. Leaves out whether
the document follows the other rules: its readers decide that. Source: rules-v1 sections 2 to 6.

Example:
    >>> blinder = Blinder(key, DOCUMENT)                                     # doctest: +SKIP
    >>> b"".join([*map(blinder.feed, chunks), blinder.finish()])             # doctest: +SKIP
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NoReturn

from oepnode.domain.documents.json_fields import ObjectShape
from oepnode.domain.nem.nmi import NMI_LENGTH, NmiError
from oepnode.domain.nem.tokens import SiteIdKind, kind_of, parse_site_id, token_of
from oepnode.domain.rounds.inputs import envelope_form, registry_snapshot
from oepnode.errors import DocumentFault, Finding

_MAX_STRING: Final = 1 << 20
_SPACE: Final = b" \t\r\n"
_PLAIN: Final = rb"[ \t\r\n\[\]{},:0-9+.eEtrufalsn-]++"
_TIME: Final = rb"[0-9]{4}-[0-9]{2}-[0-9]{2}[0-9TZ:+.-]{0,40}"
_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_COLON: Final = re.compile(rb"[ \t\r\n]*+:[ \t\r\n]*+")


class Form:
    """The names and texts that a kind of document may hold.

    Args:
        what: Its name for messages.
        shapes: The shapes of its objects.
        texts: Names of the fields that hold free text.
        words: Other texts that occur as values.
    """

    def __init__(
        self,
        what: str,
        shapes: Iterable[ObjectShape[Any]],
        texts: Iterable[str],
        words: Iterable[str] = (),
    ) -> None:
        self.what = what
        self.texts = frozenset(texts)
        self.words = frozenset(words)
        fields = [field for shape in shapes for field in shape.fields]
        self.names = frozenset(name for field in fields for name in (field.name, *field.also))
        usual = sorted((self.names | self.words) - self.texts - {"nmi"})
        strings = b"|".join([*(re.escape(name.encode()) for name in usual), _TIME])
        self.usual = re.compile(rb'(?:%s|"(?:%s)")*+' % (_PLAIN, strings))
        """What needs no look at it: punctuation, numbers, times, words, names of other fields."""


DOCUMENT: Final = Form(
    "envelope document",
    (envelope_form.RECORD, envelope_form.ELEMENT, envelope_form.INTERVAL),
    ("oeObjectiveFunction",),
    (*envelope_form.LEVELS, *envelope_form.TIMINGS),
)
SNAPSHOT: Final = Form(
    "registry snapshot",
    registry_snapshot.SHAPES,
    registry_snapshot.FREE_TEXTS,
)


class Blinder:
    """Replaces the NMIs of one document, fed in pieces of any size.

    Args:
        blinding_key: 32 bytes, shared by the sender and the NMI registry.
        form: `DOCUMENT` or `SNAPSHOT`.

    Attributes:
        kind: The kind of its identifiers; None before the first.
        tokens: Token of each NMI so far.
    """

    def __init__(self, blinding_key: bytes, form: Form) -> None:
        self._key = blinding_key
        self._form = form
        self._rest = b""
        self._offset = 0
        self._texts: set[str] = set()
        self._replaced: dict[bytes, bytes] = {}
        self._tokens: dict[str, str] = {}
        self.kind: SiteIdKind | None = None

    @property
    def tokens(self) -> Mapping[str, str]:
        """Token of each NMI so far."""
        return self._tokens

    def feed(self, chunk: bytes) -> bytes:
        """Take the next piece, and return what is blinded.

        Raises:
            DocumentFault: With the first fault, by its position in bytes.
        """
        return self._blind(self._rest + chunk, is_last=False)

    def finish(self) -> bytes:
        """Return the end of the blinded document.

        Raises:
            DocumentFault: As `feed`, or if a free text holds one of the document's NMIs. What was
                returned before must then be thrown away.
        """
        end = self._blind(self._rest, is_last=True)
        for text in map(str.upper, self._texts):
            spans = range(len(text) - NMI_LENGTH + 1)
            if any(text[at : at + NMI_LENGTH] in self._tokens for at in spans):
                self._reject("nmi.in_text", "a free text holds an NMI of the document")
        return end

    def _blind(self, data: bytes, *, is_last: bool) -> bytes:
        parts: list[bytes] = []
        at = 0
        while True:
            usual = self._form.usual.match(data, at)
            assert usual is not None  # noqa: S101 - the pattern matches nothing as well
            parts.append(usual[0])
            at = usual.end()
            if at == len(data):
                break
            step = self._string(data, at, is_last=is_last)
            if step is None:
                if is_last or len(data) - at > _MAX_STRING:
                    self._reject("json.syntax", "a string does not end", at)
                break
            parts.append(step[0])
            at = step[1]
        self._rest = data[at:]
        self._offset += at
        return b"".join(parts)

    def _string(self, data: bytes, at: int, *, is_last: bool) -> tuple[bytes, int] | None:
        """Blinded bytes of the text at ``at`` and where they end; None where more is needed."""
        if data[at] != ord('"'):
            self._reject("json.syntax", "this byte cannot be here in JSON of this form", at)
        string = _STRING.match(data, at)
        if string is None:
            return None
        colon = _COLON.match(data, string.end())
        if colon is None:
            if not is_last and not data[string.end() :].lstrip(_SPACE):
                return None
            self._check_word(self._decoded(string[0], at), at)
            return string[0], string.end()
        if colon.end() == len(data) and not is_last:
            return None
        name = self._decoded(string[0], at)
        if name not in self._form.names:
            self._reject("field.unknown", "the specification has no such field", at)
        head = data[at : colon.end()]
        if name != "nmi" and name not in self._form.texts:
            return head, colon.end()
        if data[colon.end() : colon.end() + 1] == b"n":
            return head, colon.end()  # null, or a fault of the syntax: its readers decide
        value = _STRING.match(data, colon.end())
        if value is None:
            if data[colon.end() : colon.end() + 1] != b'"':
                self._reject("field.type", "a string is expected here", colon.end())
            return None
        if name == "nmi":
            return head + self._site_id(value[0], colon.end()), value.end()
        self._texts.add(self._decoded(value[0], colon.end()))
        return head + value[0], value.end()

    def _site_id(self, value: bytes, at: int) -> bytes:
        known = self._replaced.get(value)
        if known is not None:
            return known
        try:
            site_id = parse_site_id(self._decoded(value, at))
        except NmiError as exc:
            self._reject(exc.code, str(exc), at)
        kind = kind_of(site_id)
        self.kind = self.kind or kind
        if kind is not self.kind:
            message = f"a document must hold NMIs or tokens, and the first are {self.kind.plural}"
            self._reject("nmi.mixed", message, at)
        if kind is SiteIdKind.TOKEN:
            return value
        token = self._tokens.setdefault(site_id, token_of(self._key, site_id))
        self._replaced[value] = b'"%s"' % token.encode()
        return self._replaced[value]

    def _check_word(self, text: str, at: int) -> None:
        is_time = re.fullmatch(_TIME.decode(), text, re.ASCII) is not None
        if not is_time and text not in self._form.words:
            self._reject("field.value", "the form has no such text here", at)

    def _decoded(self, string: bytes, at: int) -> str:
        try:
            return str(json.loads(string))
        except ValueError:
            self._reject("json.syntax", "not a string of JSON", at)

    def _reject(self, code: str, message: str, at: int | None = None) -> NoReturn:
        where = "" if at is None else f" (byte {self._offset + at})"
        raise DocumentFault(self._form.what, [Finding("$", code, message + where)], 0)
