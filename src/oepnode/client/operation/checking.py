"""Envelope documents checked on the sender's own machine, as a gateway checks them.

Guarantees: the same findings and facts as the gateway's acknowledgements, from the same function;
no result and no message has an NMI. Leaves out signatures. Source: docs/dnsp.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from oepnode.adapters.storage.document_file import FileSource
from oepnode.client.files import FileName, name_file, read_file, reason_of
from oepnode.client.values import parse_instant
from oepnode.config import SenderSettings, load
from oepnode.domain.documents.sources import BytesSource, digest_of
from oepnode.domain.edge.envelopes.publication import (
    Background,
    DocumentFacts,
    check_publication,
)
from oepnode.domain.edge.validation.acknowledgement import AcknowledgementReport
from oepnode.domain.nem.nem_time import MICROS
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.document_figures import read_figures
from oepnode.domain.rounds.inputs.assigned_spans import Assigned, parse_assigned
from oepnode.domain.rounds.inputs.document_readers import is_plain_json, open_document
from oepnode.domain.rounds.inputs.document_summary import summary_of
from oepnode.domain.rounds.inputs.envelope_document import parse_history
from oepnode.domain.rounds.inputs.plausibility.policy import Policy
from oepnode.domain.rounds.inputs.site_figures import figures_of_document
from oepnode.errors import ConfigError

_MAX_BYTES: Final = 1 << 34
_CHECKS: Final = tuple(field.name for field in fields(Policy) if field.default == "warn")


class DocumentCheck(Struct, frozen=True):
    """The verdict on a document that is to be published.

    Attributes:
        digest: SHA-256 of the document, 64 hex digits.
        size_bytes: Its size.
        accepted: Whether a gateway with these settings accepts it.
        facts: Facts about it; None where it breaks a rule.
        system: The answer to its form.
        transaction: The answer to its content, oddities included.
    """

    digest: str
    size_bytes: int
    accepted: bool
    facts: DocumentFacts | None
    system: AcknowledgementReport
    transaction: AcknowledgementReport


def check_envelope(
    document: FileName,
    *,
    feed: Feed | None = None,
    policy: Policy | None = None,
    previous: FileName | None = None,
    registry: FileName | None = None,
    opening: str | None = None,
) -> DocumentCheck:
    """Check an envelope document that is to be published.

    Args:
        document: JSON or NDJSON.
        feed: How the documents are written.
        policy: Decisions about oddities; by default each is a warning.
        previous: The document before it, to compare with.
        registry: A registry snapshot, or a list of NMIs or tokens, one a line.
        opening: When the document's round is opened, as a timestamp.

    Raises:
        DocumentFault: If the previous document, the snapshot or the list is wrong.
        ConfigError: If a file is not readable, or the opening is no timestamp.
    """
    source = FileSource(Path(document))
    try:
        digest, size = digest_of(source), source.size
    except OSError as exc:
        message = f"{document}: envelope document not readable: {reason_of(exc)}"
        raise ConfigError(message) from exc
    background = Background(
        policy=policy or Policy(),
        opened_at=None if opening is None else parse_instant(opening, "opening") // MICROS,
        assigned=None if registry is None else _read_registry(Path(registry)),
        **({} if previous is None else _read_previous(Path(previous), feed)),
    )
    checked = check_publication(source, feed, background)
    return DocumentCheck(
        digest=digest.hex(),
        size_bytes=size,
        accepted=checked.accepted,
        facts=checked.facts,
        system=checked.system,
        transaction=checked.transaction,
    )


def policy_of(
    reject: Iterable[str] = (),
    ignore: Iterable[str] = (),
    base: Policy | None = None,
    **thresholds: int | None,
) -> Policy:
    """The decisions about oddities, by the names of the checks.

    Args:
        base: What they change; by default every check warns.
        reject: Checks whose findings reject the document.
        ignore: Checks that are left out.
        thresholds: Fields of `Policy`; those that are None keep their defaults.

    Raises:
        ConfigError: If there is no such check.
    """
    changes: dict[str, Any] = {name: one for name, one in thresholds.items() if one is not None}
    for action, names in (("reject", reject), ("off", ignore)):
        for name in names:
            if name not in _CHECKS:
                raise ConfigError(f"no check is named {name!r}; they are {', '.join(_CHECKS)}")
            changes[name] = action
    return replace(base or Policy(), **changes)


class GatewaySettings(Struct, frozen=True):
    """The settings of a gateway that decide on a document.

    Attributes:
        feed: How documents are written.
        policy: Decisions about oddities.
        registry: The gateway's registry file, or None.
    """

    feed: Feed
    policy: Policy
    registry: Path | None


def load_gateway_settings(config: FileName) -> GatewaySettings:
    """The settings of a gateway that decide on a document, from its settings file.

    Raises:
        ConfigError: If the file cannot be read, or a setting is wrong.
    """
    settings = load(SenderSettings, Path(config))
    return GatewaySettings(
        feed=Feed(settings.feed.profile, settings.feed.import_sign),
        policy=Policy(**settings.plausibility.model_dump()),
        registry=settings.registry_file,
    )


def _read_previous(path: Path, feed: Feed | None) -> dict[str, Any]:
    source = BytesSource(read_file(path, "envelope document", _MAX_BYTES))
    with name_file(path):
        if is_plain_json(source):
            document, rows = parse_history(source.data, feed)
            summary = summary_of(figures_of_document(document, rows), None)
            return {"previous": summary, "previous_document": document}
        log, found = read_figures(open_document(source, feed or Feed()))
        if found is None:
            log.raise_if_any()
            raise AssertionError("a document without figures has a fault")
    return {"previous": summary_of(found.figures, None)}


def _read_registry(path: Path) -> Assigned:
    data = read_file(path, "registry snapshot", _MAX_BYTES)
    with name_file(path):
        return parse_assigned(data)
