"""Token lists of blind rounds: opened, checked, and used to find the NMIs of a bundle."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from oepnode import wiring
from oepnode.adapters.http import token_lists
from oepnode.adapters.http.client import RequestRejected
from oepnode.client import (
    CertifiedRound,
    ChainTarget,
    RoundSelector,
    TokenListError,
    TokensMissingError,
    TokensNotUsedError,
    bundle_limits,
    check_bundle,
    check_site_proof,
    cut_site_proof,
    fetch_bundle,
    final_round,
    get_token_list,
    load_envelopes,
    load_token_list,
    to_json,
    verify_bundle,
)
from oepnode.domain.rounds import token_list
from oepnode.domain.rounds.ballot import Result
from oepnode.domain.rounds.bundle import BundleError, unpack_file
from oepnode.errors import ConfigError, ConflictError, EvidenceError
from tests.support.blind_world import (
    BLIND_ENVELOPE,
    DIGEST,
    LISTS,
    NMIS,
    TOKENS,
    BlindReader,
    sealed_list,
    write_blind_folder,
)
from tests.support.certificates import KNOWN, certificate, relayed, write_certificate
from tests.support.round_world import (
    CONTRACT,
    HELD,
    MOVING,
    PUBLIC,
    FakeReader,
    Workers,
    write_folder,
    write_key,
)

OWN = {*HELD["A1"], MOVING}
REGISTRY_URL = "http://registry.test"
A1 = LISTS["A1"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_blind_folder(tmp_path)
    return tmp_path


@pytest.fixture
def selector(monkeypatch: pytest.MonkeyPatch) -> RoundSelector:
    monkeypatch.setattr(wiring, "chain_reader", BlindReader().connect)
    return RoundSelector(ChainTarget("https://node.test", "0x" + CONTRACT.hex()))


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """The registry's token lists by name; filled by the test."""
    lists: dict[str, bytes] = {}

    async def fetch(url: str, snapshot: bytes, name: str, timeout_s: float = 1) -> bytes:
        if (url, snapshot) != (REGISTRY_URL, DIGEST) or name not in lists:
            raise RequestRejected("token list", 404, "tokens.unknown", "no such list")
        return lists[name]

    monkeypatch.setattr(token_lists, "fetch_token_list", fetch)
    return lists


def bundle(folder: Path) -> tuple[Path, Path]:
    return folder / "A1.oepb", folder / "A1.json"


# --- a bundle of a blind round -------------------------------------------------------------------


def test_without_tokens_sites_are_named_by_tokens(folder: Path, selector: RoundSelector) -> None:
    check = check_bundle(*bundle(folder), selector)
    report = to_json(check.report())
    assert (report["blind"], report["unknown_tokens"], report["nmis"]) == (True, 5, 5)
    assert any("the round is blind" in note for note in check.notes)
    assert set(bundle_limits(check.verified)["nmi"]) == {TOKENS[nmi] for nmi in OWN}


def test_with_tokens_they_have_their_nmis(folder: Path, selector: RoundSelector) -> None:
    check = check_bundle(*bundle(folder), selector, OWN, folder / "A1.tokens")
    report = to_json(check.report())
    assert (report["verified"], report["unknown_tokens"]) == (True, 0)
    assert check.notes == check.final.notes
    limits = bundle_limits(check.verified, check.tokens)
    assert set(limits["nmi"]) == OWN
    assert not any(nmi in repr(check) for nmi in NMIS)
    assert verify_bundle(*bundle(folder), selector, tokens=A1).nmis == check.verified.nmis


def test_the_limits_are_those_of_the_round_that_is_not_blind(
    folder: Path, selector: RoundSelector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = bundle_limits(verify_bundle(*bundle(folder), selector), A1)
    plain = tmp_path / "plain"
    plain.mkdir()
    write_folder(plain)
    monkeypatch.setattr(wiring, "chain_reader", FakeReader().connect)
    expected = bundle_limits(verify_bundle(*bundle(plain), selector))
    order = ["nmi", "level", "interval_start"]
    assert limits.sort(order).equals(expected.sort(order))


def test_a_portfolio_is_checked_by_nmi(folder: Path, selector: RoundSelector) -> None:
    tokens = folder / "A1.tokens"
    check = check_bundle(*bundle(folder), selector, OWN - {MOVING}, tokens)
    assert check.failure is not None
    assert check.failure.check == "portfolio"
    check = check_bundle(*bundle(folder), selector, OWN | {"6305000099"}, tokens)
    assert check.missing_nmis == 1
    with pytest.raises(TokensMissingError, match="needs your token list"):
        check_bundle(*bundle(folder), selector, OWN)


def test_an_unknown_token_is_reported(folder: Path, selector: RoundSelector) -> None:
    known = {nmi: token for nmi, token in A1.tokens.items() if nmi != MOVING}
    shorter = replace(A1, tokens=known)
    check = check_bundle(*bundle(folder), selector, tokens=shorter)
    assert to_json(check.report())["unknown_tokens"] == 1
    assert any("1 tokens of the bundle are not on" in note for note in check.notes)
    assert TOKENS[MOVING] in set(bundle_limits(check.verified, shorter)["nmi"])
    check = check_bundle(*bundle(folder), selector, OWN, shorter)
    assert isinstance(check.failure, BundleError)
    assert check.failure.check == "portfolio"
    with pytest.raises(TokenListError, match="1 tokens of"):
        load_envelopes(
            folder / "A1.oepb", key=folder / "A1.json", selector=selector, tokens=shorter
        )


@pytest.mark.parametrize(
    ("tokens", "check"),
    [
        (LISTS["A2"], "aggregator"),
        (replace(A1, snapshot=bytes(32)), "snapshot"),
        (replace(A1, tokens={NMIS[0]: "0" * 32}), "tokens"),
        (replace(A1, tokens={}), "tokens"),
    ],
)
def test_a_wrong_list_is_rejected_by_name(
    folder: Path, selector: RoundSelector, tokens: token_list.TokenList, check: str
) -> None:
    with pytest.raises(TokenListError) as caught:
        check_bundle(*bundle(folder), selector, tokens=tokens)
    assert caught.value.check == check
    (folder / "wrong").write_bytes(token_list.write(tokens))
    with pytest.raises(TokenListError) as caught:
        check_bundle(*bundle(folder), selector, tokens=folder / "wrong")
    assert caught.value.check == check


def test_a_file_that_is_no_list(folder: Path, selector: RoundSelector) -> None:
    with pytest.raises(TokenListError, match=r"A1\.oepb: not the JSON of a token list"):
        load_token_list(folder / "A1.oepb")
    with pytest.raises(ConfigError, match="not readable"):
        load_token_list(folder / "missing")
    with pytest.raises(TokenListError, match="not the JSON"):
        check_bundle(*bundle(folder), selector, tokens=folder / "A1.json")


def test_tokens_for_a_round_that_is_not_blind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(tmp_path)
    monkeypatch.setattr(wiring, "chain_reader", FakeReader().connect)
    plain = RoundSelector(ChainTarget("https://node.test", "0x" + CONTRACT.hex()))
    with pytest.raises(TokensNotUsedError):
        check_bundle(*bundle(tmp_path), plain, tokens=A1)
    with pytest.raises(TokensNotUsedError):
        bundle_limits(verify_bundle(*bundle(tmp_path), plain), A1)


def test_a_fetched_bundle_is_checked_with_tokens(
    folder: Path, selector: RoundSelector, workers: Workers
) -> None:
    _, sealed = unpack_file((folder / "A1.oepb").read_bytes()) or (None, b"")
    workers.served = {f"http://worker-{n}.test": sealed for n in range(1, 6)}
    key, out = folder / "A1.json", folder / "new.oepb"
    fetched = fetch_bundle(key, selector.chain, 3, out, tokens=A1)
    assert fetched.sites == 6
    assert not any("token" in note for note in fetched.notes)
    fetched = fetch_bundle(key, selector.chain, 3, out)
    assert any("the round is blind" in note for note in fetched.notes)
    out.unlink()
    with pytest.raises(TokenListError, match="another aggregator's"):
        fetch_bundle(key, selector.chain, 3, out, tokens=LISTS["A2"])
    assert not out.exists()


# --- the list itself -----------------------------------------------------------------------------


def test_a_list_from_the_registry(
    folder: Path, selector: RoundSelector, served: dict[str, bytes]
) -> None:
    served[token_list.list_name(DIGEST, PUBLIC["A1"])] = sealed_list(A1)
    check = check_bundle(*bundle(folder), selector, OWN, REGISTRY_URL)
    assert check.verified
    assert check.unknown_tokens == 0
    key, out = folder / "A1.json", folder / "mine.tokens"
    received = get_token_list(REGISTRY_URL, key, out, selector=replace_number(selector, 3))
    assert (received.aggregator, received.nmis, received.snapshot) == ("A1", 5, DIGEST.hex())
    assert load_token_list(out) == A1
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    with pytest.raises(ConfigError, match="already exists"):
        get_token_list(REGISTRY_URL, key, out, DIGEST.hex())
    with pytest.raises(ConflictError, match="no such list"):
        get_token_list(REGISTRY_URL, folder / "A2.json", folder / "other", DIGEST.hex())


def replace_number(selector: RoundSelector, number: int) -> RoundSelector:
    return RoundSelector(selector.chain, None, number)


def test_a_list_that_was_handed_over(folder: Path) -> None:
    (folder / "sealed").write_bytes(sealed_list(A1))
    received = get_token_list(folder / "sealed", folder / "A1.json", folder / "o", DIGEST.hex())
    assert received.nmis == 5
    with pytest.raises(ConfigError, match="name it, or a round"):
        get_token_list(folder / "sealed", folder / "A1.json", folder / "p")


@pytest.mark.parametrize(
    ("content", "check"),
    [
        (sealed_list(A1, "A2"), "opening"),
        (sealed_list(A1, digest=bytes(32)), "opening"),
        (sealed_list(A1)[:-1], "opening"),
        (b"", "opening"),
        (token_list.write(A1), "opening"),
        (sealed_list(LISTS["A2"]), "aggregator"),
        (sealed_list(replace(A1, snapshot=bytes(32))), "snapshot"),
    ],
)
def test_a_wrong_sealed_list_is_rejected_by_name(folder: Path, content: bytes, check: str) -> None:
    (folder / "sealed").write_bytes(content)
    with pytest.raises(TokenListError) as caught:
        get_token_list(folder / "sealed", folder / "A1.json", folder / "out", DIGEST.hex())
    assert caught.value.check == check
    assert not (folder / "out").exists()


def test_a_round_state_names_no_snapshot(folder: Path, selector: RoundSelector) -> None:
    from oepnode.client import audit_round

    audit = to_json(audit_round(selector.chain, 3))
    import json

    (folder / "state.json").write_text(json.dumps(audit))
    offline = RoundSelector(selector.chain, folder / "state.json")
    with pytest.raises(ConfigError, match="as a file"):
        check_bundle(*bundle(folder), offline, tokens=REGISTRY_URL)
    assert check_bundle(*bundle(folder), offline, OWN, A1).verified


def test_a_certificate_proves_no_snapshot(folder: Path, selector: RoundSelector) -> None:
    final = final_round(selector.chain, 3)
    result = Result(final.root, final.partitions)
    made = certificate(*(relayed(i, result=result) for i in range(3)), result=result)
    proof = CertifiedRound(write_certificate(folder, made), KNOWN)
    offline = RoundSelector(ChainTarget(), certificate=proof)
    with pytest.raises(ConfigError, match="proves no snapshot: give the token list as a file"):
        check_bundle(*bundle(folder), offline, tokens=REGISTRY_URL)
    assert check_bundle(*bundle(folder), offline, OWN, A1).verified


# --- proofs and envelopes ------------------------------------------------------------------------


def test_a_site_proof_names_the_token(folder: Path, selector: RoundSelector) -> None:
    nmi = HELD["A1"][0]
    for name, tokens in ((nmi, A1), (TOKENS[nmi], A1), (TOKENS[nmi], None)):
        proof = cut_site_proof(name, *bundle(folder), selector, disclose_key=True, tokens=tokens)
        assert nmi.encode() not in proof.data
        (folder / "proof.json").write_bytes(proof.data)
        site = check_site_proof(folder / "proof.json", selector).verified
        assert (site.nmi, site.is_nmi_proven) == (TOKENS[nmi], True)
    with pytest.raises(EvidenceError, match="no site with this NMI"):
        cut_site_proof(nmi, *bundle(folder), selector)
    with pytest.raises(ConfigError, match="not on your token list"):
        cut_site_proof("6305000099", *bundle(folder), selector, tokens=A1)


def test_envelopes_of_a_blind_bundle(folder: Path, selector: RoundSelector) -> None:
    own = {"key": folder / "A1.json", "selector": selector}
    envelopes = load_envelopes(folder / "A1.oepb", **own, tokens=A1)  # type: ignore[arg-type]
    assert {nmi.decode() for nmi in envelopes.table.nmis} == OWN
    with pytest.raises(TokensMissingError):
        load_envelopes(folder / "A1.oepb", **own)  # type: ignore[arg-type]


def test_envelopes_of_a_blinded_document(folder: Path) -> None:
    (folder / "blinded.json").write_bytes(BLIND_ENVELOPE)
    with pytest.raises(TokensMissingError, match="named by tokens"):
        load_envelopes(folder / "blinded.json")
    write_key(folder / "k.json", "A1", "A1")
    with pytest.raises(TokensNotUsedError):
        load_envelopes(folder / "blinded.json", tokens=A1)
