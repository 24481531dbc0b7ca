from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from oepnode.domain.rounds import site_proof
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.pseudonyms import site_key, site_pseudonym
from oepnode.domain.rounds.site_proof import SiteProof, SiteProofError
from tests.support.round_world import CHAIN_ID, CONTEXT, CONTRACT, FLEX, MOVING, RESULT, verified

ROOT, COUNT = RESULT.root, RESULT.partition_count
NMI = "6305000003"


def check(proof: SiteProof, context: RoundContext = CONTEXT) -> site_proof.VerifiedSite:
    return site_proof.verify_site(proof, context, ROOT, COUNT)


@pytest.mark.parametrize("disclose", [False, True])
@pytest.mark.parametrize(("nmi", "entries"), [(NMI, 1), (FLEX, 2), (MOVING, 1)])
def test_a_proof_that_was_cut_verifies(nmi: str, entries: int, disclose: bool) -> None:
    bundle = verified()
    written = site_proof.write(site_proof.cut(bundle, nmi, disclose_key=disclose))
    site = check(site_proof.read(written))
    assert site.nmi == nmi
    assert site.is_nmi_proven is disclose
    assert len(site.entries) == entries
    assert site.partition == bundle.partition
    assert (site_key(bundle.key, nmi).hex() in written.decode()) is disclose
    assert bundle.key.hex() not in written.decode()


def test_a_proof_shows_no_other_site() -> None:
    bundle = verified()
    text = site_proof.write(site_proof.cut(bundle, NMI)).decode()
    assert NMI in text
    assert not [nmi for nmi in bundle.nmis if nmi != NMI and nmi in text]
    disclosed = [entry for entry in bundle.entries if entry.hex() in text]
    assert len(disclosed) == 1


def test_a_disclosed_key_tests_no_guess_at_another_site() -> None:
    # With the key of its neighbour a reader who guesses NMI and limits cannot even confirm them.
    bundle = verified()
    proof = site_proof.cut(bundle, NMI, disclose_key=True)
    assert proof.disclosure is not None
    key = bytes.fromhex(proof.disclosure.site_key)
    for place, nmi in enumerate(bundle.nmis):
        pseudonym = bundle.entries[place][5:37]
        assert (site_pseudonym(key, nmi) == pseudonym) is (nmi == NMI)
        assert site_pseudonym(site_key(key, nmi), nmi) != pseudonym


def test_the_key_of_another_site_or_round_proves_nothing() -> None:
    bundle = verified()
    for key in (site_key(bundle.key, FLEX), site_key(bytes(32), NMI), bundle.key):
        value = json.loads(site_proof.write(site_proof.cut(bundle, NMI)))
        value["disclosure"] = {"siteKey": key.hex()}
        with pytest.raises(SiteProofError) as caught:
            check(site_proof.read(json.dumps(value).encode()))
        assert caught.value.check == "pseudonyms"
        assert key.hex() not in str(caught.value)


@pytest.mark.parametrize(
    "disclosure",
    [
        {},
        {"aggregatorKey": "00" * 32},
        {"siteKey": "00" * 31},
        {"siteKey": "00" * 33},
        {"siteKey": "0x" + "00" * 32},
        {"siteKey": None},
        {"siteKey": "00" * 32, "more": 1},
        "00" * 32,
    ],
)
def test_a_malformed_disclosure_is_rejected(disclosure: object) -> None:
    value = json.loads(site_proof.write(site_proof.cut(verified(), NMI)))
    value["disclosure"] = disclosure
    with pytest.raises(SiteProofError) as caught:
        site_proof.read(json.dumps(value).encode())
    assert caught.value.check == "format"


def test_an_nmi_that_is_not_in_the_bundle() -> None:
    with pytest.raises(Exception, match="no site with this NMI") as caught:
        site_proof.cut(verified(), "6305999999")
    assert "6305999999" not in str(caught.value)


def flip(text: str) -> str:
    return ("1" if text[0] != "1" else "2") + text[1:]


def other_level(proof: dict[str, Any]) -> None:
    site = proof["sites"][0]
    proof["sites"] = [site, site]


def wrong_key(proof: dict[str, Any]) -> None:
    proof["disclosure"] = {"siteKey": "00" * 32}


def broken_entry(proof: dict[str, Any]) -> None:
    proof["sites"][0]["entry"] = proof["sites"][0]["entry"][:-2]


def other_limit(proof: dict[str, Any]) -> None:
    entry = proof["sites"][0]["entry"]
    proof["sites"][0]["entry"] = entry[:-1] + flip(entry[-1])


def other_site(proof: dict[str, Any]) -> None:
    other = site_proof.cut(verified(), "6305000001")
    proof["sites"].append(json.loads(site_proof.write(other))["sites"][0])


DAMAGES: list[tuple[str, Callable[[dict[str, Any]], Any]]] = [
    ("format", lambda p: p.update(version=2)),
    ("format", lambda p: p.update(format="oepnode proof")),
    ("format", lambda p: p.update(more=1)),
    ("format", lambda p: p.pop("index")),
    ("format", lambda p: p.update(nmi="63050000O3")),
    ("format", lambda p: p.update(index=-1)),
    ("format", lambda p: p.update(index=1 << 32)),
    ("format", lambda p: p.update(index="1")),
    ("format", lambda p: p.update(path=[*p["path"], "ab"])),
    ("format", lambda p: p.update(sites=[])),
    ("context", lambda p: p.update(round=4)),
    ("context", lambda p: p.update(chainId="1")),
    ("context", lambda p: p.update(chainId="9" * 78)),
    ("context", lambda p: p.update(contract="0x" + "12" * 20)),
    ("sites", broken_entry),
    ("sites", other_level),
    ("sites", other_site),
    ("pseudonyms", wrong_key),
    ("site-inclusion", other_limit),
    ("site-inclusion", lambda p: p["sites"][0].update(index=p["sites"][0]["index"] ^ 1)),
    ("site-inclusion", lambda p: p["sites"][0]["path"].pop()),
    ("site-inclusion", lambda p: p["sites"][0]["path"].reverse()),
    ("site-inclusion", lambda p: p.update(partitionEntry=p["partitionEntry"][2:])),
    ("partition-count", lambda p: p.update(partitions=p["partitions"] + 1)),
    ("inclusion", lambda p: p.update(index=p["index"] ^ 1)),
    ("inclusion", lambda p: p["path"].pop()),
    ("inclusion", lambda p: p.update(path=[flip(h) for h in p["path"]])),
]


@pytest.mark.parametrize(("name", "damage"), DAMAGES)
def test_each_check_fails_by_its_name(name: str, damage: Callable[[dict[str, Any]], Any]) -> None:
    value = json.loads(site_proof.write(site_proof.cut(verified(), NMI)))
    damage(value)
    with pytest.raises(SiteProofError) as caught:
        check(site_proof.read(json.dumps(value).encode()))
    assert caught.value.check == name
    assert name in site_proof.CHECKS
    assert NMI not in str(caught.value)


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"{", b"\xff", b"[" * 100_000, b" " * (site_proof.MAX_SIZE + 1)]
)
def test_text_without_a_proof_is_rejected(data: bytes) -> None:
    with pytest.raises(SiteProofError) as caught:
        site_proof.read(data)
    assert caught.value.check == "format"


def test_a_field_that_occurs_twice_is_rejected() -> None:
    data = site_proof.write(site_proof.cut(verified(), NMI))
    duplicate = data.replace(b'"round": 3', b'"round": 4, "round": 3')
    assert duplicate != data
    with pytest.raises(SiteProofError, match="occurs twice"):
        site_proof.read(duplicate)


def test_the_root_of_another_round() -> None:
    proof = site_proof.cut(verified(), NMI)
    with pytest.raises(SiteProofError) as caught:
        site_proof.verify_site(proof, CONTEXT, b"\x00" * 32, COUNT)
    assert caught.value.check == "inclusion"
    with pytest.raises(SiteProofError) as caught:
        check(proof, RoundContext(CHAIN_ID, CONTRACT, 4))
    assert caught.value.check == "context"


def test_every_nibble_of_the_hashes_counts() -> None:
    value = json.loads(site_proof.write(site_proof.cut(verified(), NMI, disclose_key=True)))
    spots: list[tuple[Any, str | int]] = [
        (value, "partitionEntry"),
        (value["disclosure"], "siteKey"),
    ]
    spots += [(value["sites"][0], "entry"), (value["path"], 0), (value["sites"][0]["path"], 0)]
    for holder, name in spots:
        text = holder[name]
        for position in range(len(text)):
            holder[name] = text[:position] + flip(text[position]) + text[position + 1 :]
            with pytest.raises(SiteProofError):
                check(site_proof.read(json.dumps(value).encode()))
        holder[name] = text
    check(site_proof.read(json.dumps(value).encode()))
