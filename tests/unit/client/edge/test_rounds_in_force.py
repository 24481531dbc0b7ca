"""Limits in force of several bundles (rules-v1 section 14)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs

from oepnode import wiring
from oepnode.client import ChainTarget, RoundSelector, verify_bundle
from oepnode.client.edge import rounds_in_force
from oepnode.client.edge.envelopes import LoadedEnvelopes, load_bundle
from oepnode.client.edge.rounds_in_force import load_limits_in_force
from oepnode.client.tokens import TokensNotUsedError
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import Phase
from oepnode.errors import ConfigError
from tests.support.round_world import (
    CHAIN_ID,
    CONTRACT,
    COUNT,
    START,
    FakeReader,
    changed,
    state,
    write_folder,
)

OTHER_START = START + 900
"""Where round 4's horizon begins: in the middle of round 3's."""


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> FakeReader:
    fake = FakeReader()
    fake.rounds[4] = changed(state(4, Phase.FINAL), horizon_start=OTHER_START)
    monkeypatch.setattr(wiring, "chain_reader", fake.connect)
    return fake


@pytest.fixture
def chain(reader: FakeReader) -> ChainTarget:
    return ChainTarget("https://node.test", "0x" + CONTRACT.hex())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_folder(tmp_path)
    return tmp_path


def test_a_round_in_force_whose_bundle_is_missing(folder: Path, chain: ChainTarget) -> None:
    held = load_limits_in_force([folder / "A1.oepb"], folder / "A1.json", chain)
    assert [(s.round, s.intervals, s.held) for s in held.spans] == [(3, 3, True), (4, 3, False)]
    assert any("round 4 is in force" in note and "fetch it" in note for note in held.notes)
    frame = held.frame()
    assert set(frame["round"]) == {3}
    assert frame["interval_start"].n_unique() == 3
    assert held.report().spans == held.spans


@pytest.mark.parametrize("phase", [Phase.FAILED, Phase.CANCELLED, Phase.VOTING])
def test_a_round_that_is_not_final_is_in_force_nowhere(
    folder: Path, reader: FakeReader, chain: ChainTarget, phase: Phase
) -> None:
    reader.rounds[4] = changed(state(4, phase), horizon_start=OTHER_START)
    held = load_limits_in_force([folder / "A1.oepb"], folder / "A1.json", chain)
    assert [(s.round, s.intervals) for s in held.spans] == [(3, COUNT)]


def test_two_bundles(folder: Path, chain: ChainTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = load_bundle

    def load(
        path: Path, key: Path, selector: RoundSelector, tokens: None
    ) -> tuple[RoundContext, LoadedEnvelopes]:
        context, loaded = honest(folder / "A1.oepb", key, selector, tokens)
        if path.name == "A1.oepb":
            return context, loaded
        table = replace(
            loaded.table,
            horizon_start=OTHER_START,
            limits=np.full_like(loaded.table.limits, 1234),
        )
        return RoundContext(CHAIN_ID, CONTRACT, 4), structs.replace(loaded, table=table)

    monkeypatch.setattr(rounds_in_force, "load_bundle", load)
    files = [folder / "round-4.oepb", folder / "A1.oepb"]
    held = load_limits_in_force(files, folder / "A1.json", chain)
    assert [(s.round, s.intervals, s.held) for s in held.spans] == [(3, 3, True), (4, 6, True)]
    frame = held.frame()
    later = frame.filter(frame["round"] == 4)
    assert set(later["active_export_w"]) == {1234}
    assert later["interval_start"].n_unique() == COUNT
    assert held.envelopes.table.interval_count == COUNT + 3


def test_tokens_are_for_the_blind_rounds_among_them(
    folder: Path, chain: ChainTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = load_bundle

    def load(
        path: Path, key: Path, selector: RoundSelector, tokens: str | None
    ) -> tuple[RoundContext, LoadedEnvelopes]:
        if path.name == "A1.oepb":
            return honest(path, key, selector, tokens)
        assert tokens == "tokens.json"
        _, loaded = honest(folder / "A1.oepb", key, selector, None)
        return RoundContext(CHAIN_ID, CONTRACT, 4), loaded

    monkeypatch.setattr(rounds_in_force, "load_bundle", load)
    files, key = [folder / "A1.oepb", folder / "round-4.oepb"], folder / "A1.json"
    held = load_limits_in_force(files, key, chain, tokens="tokens.json")
    assert {span.round for span in held.spans if span.held} == {4}
    with pytest.raises(TokensNotUsedError):
        load_limits_in_force(files[:1], key, chain, tokens="tokens.json")


def test_no_bundle_or_one_twice(folder: Path, chain: ChainTarget) -> None:
    with pytest.raises(ConfigError, match="at least one"):
        load_limits_in_force([], folder / "A1.json", chain)
    with pytest.raises(ConfigError, match="round 3 was given twice"):
        load_limits_in_force([folder / "A1.oepb"] * 2, folder / "A1.json", chain)


def test_verifying_notes_a_newer_round_that_is_in_force(folder: Path, chain: ChainTarget) -> None:
    from oepnode.client import check_bundle

    check = check_bundle(folder / "A1.oepb", folder / "A1.json", RoundSelector(chain))
    notes = [note for note in check.final.notes if note.startswith("round 4 is in force")]
    assert len(notes) == 1
    assert verify_bundle(folder / "A1.oepb", folder / "A1.json", RoundSelector(chain)).site_count
