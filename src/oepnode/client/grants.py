"""Grant lists of sender and registry, and the members who voted without having been granted inputs.

Guarantees: a list counts only if its service signed it for exactly this round, after the vote; any
other one is rejected by name. Leaves out whether a member that was granted the inputs computed
anything: that is for the custody roots (``client.replays``). Source: docs/spec/grants.md,
``docs/auditors.md``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from msgspec import Struct

from oepnode.client import chain as chains
from oepnode.client.chain import hexed
from oepnode.client.files import FileName, read_file
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.grants import (
    INPUTS_OF,
    MAX_LIST_BYTES,
    Grant,
    GrantFault,
    GrantList,
    Service,
    check_list,
    decode_list,
)
from oepnode.domain.rounds.onchain import RoundOpened
from oepnode.errors import ConfigError

TOLERANCE_S: Final = 120
"""Seconds by which a service's clock may differ from the chain's times."""

_TIMEOUT_S: Final = 20.0


class SignerNotNamedError(ConfigError):
    """A list is the registry's, and the account that signs its lists is not named."""


class GrantSources(Struct, frozen=True):
    """Grant lists for an audit, and the accounts that must have signed them.

    Attributes:
        lists: Files, or URLs of the services or of their lists; one list of a service at most.
        registry_signer: Account that signs the registry's lists. The network publishes it; nothing
            on chain names it.
        sender_signer: Account that signs the sender's lists. None takes the account that opened the
            round, which is the gateway's unless a worker opens the rounds.
    """

    lists: tuple[FileName, ...] = ()
    registry_signer: str | None = None
    sender_signer: str | None = None


class GrantListReport(Struct, frozen=True):
    """A grant list that was verified; ``issued_at`` is UTC seconds by the service's clock."""

    service: str
    signer: str
    issued_at: int
    grants: int


class MemberInputs(Struct, frozen=True):
    """Inputs of one member, as the lists have them.

    Attributes:
        standing: ``granted``; ``late`` if one was granted only after the vote; ``not granted``.
        missing: Inputs that were not granted before the vote.
    """

    standing: str
    missing: tuple[str, ...]


class GrantEvidence(Struct, frozen=True):
    """The verified lists of a round."""

    lists: tuple[GrantList, ...]
    reports: tuple[GrantListReport, ...]

    def inputs_of(self, operator: bytes, voted_at: int | None) -> MemberInputs:
        """Inputs that a member was granted.

        Args:
            operator: 20 bytes.
            voted_at: Time of its ballot's block, or None if it cast none.
        """
        granted = {g.input: g for one in self.lists for g in one.grants if g.operator == operator}
        wanted = [name for one in self.lists for name in INPUTS_OF[one.service]]
        never = tuple(name for name in wanted if name not in granted)
        late = tuple(name for name in wanted if _is_late(granted.get(name), voted_at))
        standing = "not granted" if never else "late" if late else "granted"
        return MemberInputs(standing, tuple(n for n in wanted if n in never or n in late))


def read_lists(
    sources: GrantSources, context: RoundContext, opened: RoundOpened, last_vote_at: int
) -> GrantEvidence:
    """Read and verify the grant lists of a round.

    Args:
        sources: The lists and their signers.
        context: Chain, contract and round.
        opened: The round's opening.
        last_vote_at: Time of the last vote's block, UTC seconds.

    Raises:
        GrantFault: If a list is not a final one of this round by its service.
        ConfigError: If a file cannot be read, or the registry's signer is not named.
        TransportError: If a service does not respond.
    """
    lists: list[GrantList] = []
    reports: list[GrantListReport] = []
    for source in sources.lists:
        data = _read(source, context.number)
        try:
            grants, signature = decode_list(data)
        except GrantFault as exc:
            raise GrantFault(exc.code, f"{_shown(source)}: {exc.reason}") from exc
        if any(grants.service == other.service for other in lists):
            raise GrantFault("grants.second_list", f"two lists of the {grants.service} are given")
        expected = _signer_of(grants.service, sources, opened)
        _verify(grants, signature, context, opened, expected)
        _check_complete(grants, last_vote_at)
        lists.append(grants)
        reports.append(
            GrantListReport(grants.service, hexed(expected), grants.issued_at, len(grants.grants))
        )
    return GrantEvidence(tuple(lists), tuple(reports))


def _is_late(grant: Grant | None, voted_at: int | None) -> bool:
    return grant is not None and voted_at is not None and grant.granted_at > voted_at + TOLERANCE_S


def _verify(
    grants: GrantList,
    signature: bytes,
    context: RoundContext,
    opened: RoundOpened,
    expected: bytes,
) -> None:
    from oepnode.adapters.crypto.grant_signature import recover_list_signer

    signer = recover_list_signer(grants, signature)
    check_list(grants, grants.service, context, opened, signer, expected)


def _check_complete(grants: GrantList, last_vote_at: int) -> None:
    if not grants.is_final or grants.issued_at < last_vote_at:
        raise GrantFault(
            "grants.not_final",
            f"the {grants.service}'s list was issued while members could still vote; fetch it "
            "again",
        )


def _signer_of(service: Service, sources: GrantSources, opened: RoundOpened) -> bytes:
    if service == "sender":
        named = sources.sender_signer
        return opened.requester if named is None else chains.parse_address(named)
    if sources.registry_signer is None:
        raise SignerNotNamedError(
            "a grant list is the NMI registry's, and the account that signs its lists is not named"
        )
    return chains.parse_address(sources.registry_signer)


def _read(source: FileName, number: int) -> bytes:
    text = str(source)
    if not text.startswith(("http://", "https://")):
        return read_file(Path(source), "grant list", MAX_LIST_BYTES)
    return chains.run(_fetch(text.rstrip("/"), number))


def _shown(source: FileName) -> str:
    from oepnode.adapters.http.redact import shown_url

    text = str(source)
    return shown_url(text) if text.startswith(("http://", "https://")) else text


async def _fetch(url: str, number: int) -> bytes:
    from oepnode.adapters.http.client import HttpClient

    path = "" if url.endswith("/grants") else f"/v1/rounds/{number}/grants"
    client = HttpClient(url, _TIMEOUT_S)
    try:
        return await client.get(path, f"grant list of {_shown(url)}", MAX_LIST_BYTES)
    finally:
        await client.close()
