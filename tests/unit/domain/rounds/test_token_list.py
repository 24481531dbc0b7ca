"""Lists of NMIs with their tokens: one encoding, for one aggregator and one snapshot."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from oepnode.domain.nem.tokens import token_of
from oepnode.domain.rounds import token_list
from oepnode.domain.rounds.inputs.registry_snapshot import parse_snapshot
from oepnode.domain.rounds.token_list import TokenList, TokenListError
from tests.support.envelope_documents import END, NMI, OTHER_NMI, START, assignment, dump, snapshot

KEY = bytes(range(32))
DIGEST = bytes(range(32, 64))
NMIS = sorted([NMI, OTHER_NMI])
LIST = TokenList(DIGEST, "north", {nmi: token_of(KEY, nmi) for nmi in NMIS})
WRITTEN = token_list.write(LIST)


def failing(call: Callable[[], object]) -> str:
    with pytest.raises(TokenListError) as caught:
        call()
    assert caught.value.check in token_list.CHECKS
    assert not any(nmi in str(caught.value) for nmi in NMIS)
    return caught.value.check


def test_a_list_is_read_as_it_was_written() -> None:
    read = token_list.read(token_list.unpad(token_list.pad(WRITTEN)))
    assert read == LIST
    assert read.nmis == {token: nmi for nmi, token in LIST.tokens.items()}
    assert not any(nmi in repr(read) for nmi in NMIS)


@pytest.mark.parametrize("count", [0, 1, 900])
def test_the_length_does_not_give_away_the_count(count: int) -> None:
    nmis = [f"{6305000000 + n}" for n in range(count)]
    written = token_list.write(TokenList(DIGEST, "n", {nmi: token_of(KEY, nmi) for nmi in nmis}))
    assert len(token_list.pad(written)) == 1 << 16
    assert token_list.unpad(token_list.pad(written)) == written


def test_a_longer_list_has_the_next_power_of_two() -> None:
    assert len(token_list.pad(bytes(1 << 16))) == 1 << 17
    assert len(token_list.pad(bytes((1 << 16) - 13))) == 1 << 16


def change(**changes: Any) -> bytes:
    return json.dumps(json.loads(WRITTEN) | changes, separators=(",", ":")).encode() + b"\n"


def test_the_list_that_the_bad_ones_are_made_of() -> None:
    assert token_list.read(change()) == LIST


PAIRS = [[nmi, LIST.tokens[nmi]] for nmi in NMIS]


@pytest.mark.parametrize(
    ("data", "check"),
    [
        (b"", "format"),
        (b"[]\n", "format"),
        (WRITTEN[:-1], "format"),
        (WRITTEN + b"\n", "format"),
        (WRITTEN.replace(b":", b": ", 1), "format"),
        (WRITTEN.replace(b'"version":1', b'"version":1,"version":1'), "format"),
        (b"[" * 100_000, "format"),
        (change(version=2), "format"),
        (change(format="oepnode site proof"), "format"),
        (change(extra=1), "format"),
        (change(snapshot=DIGEST.hex().upper()), "format"),
        (change(aggregator=""), "format"),
        (change(tokens=[[NMI, NMI]]), "format"),
        (change(tokens=[[PAIRS[0][1], PAIRS[0][0]]]), "format"),
        (change(tokens=[[NMI + "6", PAIRS[0][1]]]), "format"),
        (change(tokens=[[NMI]]), "format"),
        (change(tokens=PAIRS[::-1]), "order"),
        (change(tokens=[PAIRS[0], PAIRS[0]]), "order"),
        (change(tokens=[PAIRS[0], [PAIRS[1][0], PAIRS[0][1]]]), "order"),
    ],
)
def test_a_bad_list_is_rejected_by_name(data: bytes, check: str) -> None:
    assert failing(lambda: token_list.read(data)) == check


@pytest.mark.parametrize(
    "padded",
    [
        b"",
        WRITTEN,
        token_list.pad(WRITTEN)[:-1],
        token_list.pad(WRITTEN) + b"\x00",
        token_list.pad(WRITTEN)[:-1] + b"\x01",
        b"OEPB" + token_list.pad(WRITTEN)[4:],
        b"OEPT\x01" + b"\xff" * 8 + token_list.pad(WRITTEN)[13:],
    ],
)
def test_bad_padding_is_rejected(padded: bytes) -> None:
    assert failing(lambda: token_list.unpad(padded)) == "format"


def test_a_list_of_another_aggregator_or_snapshot_is_rejected() -> None:
    token_list.check(LIST, "north", DIGEST)
    token_list.check(LIST, "north", None)
    assert failing(lambda: token_list.check(LIST, "south", DIGEST)) == "aggregator"
    assert failing(lambda: token_list.check(LIST, "north", bytes(32))) == "snapshot"


def test_resolving() -> None:
    stranger = token_of(bytes(32), NMI)
    tokens = [*LIST.tokens.values(), stranger, stranger]
    assert token_list.resolve(tokens, LIST) == (*NMIS, stranger, stranger)
    assert failing(lambda: token_list.resolve([stranger], LIST)) == "tokens"


def test_each_aggregator_has_the_tokens_of_its_assignments() -> None:
    tokens = {nmi: token_of(KEY, nmi) for nmi in NMIS}
    first, second = (tokens[nmi] for nmi in NMIS)
    spans = [
        assignment(nmi=first, aggregator="north") | {"from": START, "to": END},
        assignment(nmi=first, aggregator="south") | {"from": END, "to": None},
        assignment(nmi=second, aggregator="south") | {"from": START, "to": None},
    ]
    blinded = parse_snapshot(dump(snapshot(assignments=spans)).encode())
    lists = {one.aggregator_id: one for one in token_list.lists_of(blinded, DIGEST, tokens)}
    assert set(lists) == {aggregator.id for aggregator in blinded.aggregators}
    assert dict(lists["north"].tokens) == {NMIS[0]: first}
    assert list(lists["south"].tokens) == NMIS
    assert all(one.snapshot == DIGEST for one in lists.values())


def test_names_and_purposes_are_their_own() -> None:
    assert token_list.list_name(DIGEST, bytes(32)) != token_list.list_name(DIGEST, KEY)
    assert token_list.list_name(DIGEST, KEY) != token_list.list_name(bytes(32), KEY)
    assert token_list.sealing_info(DIGEST) == b"oep1 tokens" + DIGEST
