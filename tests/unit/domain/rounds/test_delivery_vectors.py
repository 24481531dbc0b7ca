"""The product writes and reads the published vectors of bundles, site proofs and token lists."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest

from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds import bundle, bundle_reading, bundle_writing, site_proof, token_list
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.inputs.registry_snapshot import parse_snapshot
from oepnode.domain.rounds.partition import RoundResult
from tests.support.partitioning import partition_round
from tests.support.plain_bundle import pack_file

VECTORS = Path(__file__).resolve().parents[4] / "docs" / "spec" / "vectors"
unhex = bytes.fromhex


def load(name: str) -> Any:
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


BUNDLES, PROOFS, LISTS = load("bundle.json"), load("site-proof.json"), load("token-list.json")


def computed(file: str) -> RoundResult:
    """A round of the vectors as the product computes it."""
    inputs = load(file)["inputs"]
    return partition_round(
        inputs["envelope"].encode(),
        parse_snapshot(inputs["registry"].encode()),
        unhex(inputs["salt"]),
        RoundContext(int(inputs["chainId"]), unhex(inputs["contract"][2:]), int(inputs["round"])),
        Feed(inputs["profile"], inputs["importSign"]),
    )


def position(result: RoundResult, aggregator: str) -> int:
    return [partition.aggregator_id for partition in result.partitions].index(aggregator)


def plaintext_of(result: RoundResult, aggregator: str) -> bytes:
    return b"".join(bundle_writing.build(result, position(result, aggregator)))


def verified(result: RoundResult, plaintext: bytes, aggregator: str) -> bundle.VerifiedBundle:
    """A bundle checked against the round as it is in the vectors."""
    return bundle_reading.verify(
        plaintext, aggregator, result.context, result.root, result.partition_count
    )


# --- bundles -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "case", BUNDLES["bundles"], ids=lambda c: f"{c['round']}-{c['aggregator']}"
)
def test_bundle(case: dict[str, Any]) -> None:
    result = computed(case["round"])
    plaintext = plaintext_of(result, case["aggregator"])
    body = unhex(case["body"])
    framed = b"OEPB\x01" + len(body).to_bytes(8) + body
    assert plaintext == framed.ljust(case["plaintextSize"], b"\0")
    assert sha256(plaintext).hexdigest() == case["plaintextSha256"]
    assert bundle.sealing_info(result.context).hex() == case["info"]
    assert bundle.bundle_name(result.context, unhex(case["publicKey"])) == case["name"]
    assert pack_file(result.context, b"sealed") == unhex(case["fileHead"]) + b"sealed"
    index = position(result, case["aggregator"])
    read = verified(result, plaintext, case["aggregator"])
    assert read.entries == result.partitions[index].entries
    assert read.nmis == result.partitions[index].nmis


@pytest.mark.parametrize("case", BUNDLES["sizes"])
def test_padded_size(case: dict[str, Any]) -> None:
    assert bundle.padded_size(case["bodySize"]) == case["plaintextSize"]


@pytest.mark.parametrize("case", BUNDLES["rejected"]["cases"], ids=lambda c: c["what"])
def test_rejected_bundle(case: dict[str, Any]) -> None:
    rejected = BUNDLES["rejected"]
    result = computed(rejected["round"])
    plaintext = unhex(case["plaintext"]).ljust(case["size"], b"\0")
    with pytest.raises(bundle.BundleError) as rejection:
        verified(result, plaintext, rejected["aggregator"])
    assert rejection.value.check == case["check"]


def test_every_check_of_a_bundle_has_a_vector() -> None:
    checks = {case["check"] for case in BUNDLES["rejected"]["cases"]}
    assert checks == bundle.CHECKS.keys() - {"opening"}


# --- site proofs ---------------------------------------------------------------------------------


@pytest.mark.parametrize("case", PROOFS["proofs"])
def test_site_proof(case: dict[str, Any]) -> None:
    result = computed(case["round"])
    held = verified(result, plaintext_of(result, case["aggregator"]), case["aggregator"])
    made = site_proof.cut(held, case["nmi"], disclose_key=case["isNmiProven"])
    assert msgspec.json.encode(made).decode() == case["text"]
    indented = json.dumps(json.loads(case["text"]), indent="\t").encode()
    for data in (case["text"].encode(), indented, site_proof.write(made)):
        shown = site_proof.verify_site(
            site_proof.read(data), result.context, result.root, result.partition_count
        )
        assert (shown.nmi, shown.is_nmi_proven) == (case["nmi"], case["isNmiProven"])


@pytest.mark.parametrize("case", PROOFS["acceptedToo"]["cases"], ids=lambda c: c["what"])
def test_site_proof_in_another_spelling(case: dict[str, Any]) -> None:
    result = computed(PROOFS["acceptedToo"]["round"])
    shown = site_proof.verify_site(
        site_proof.read(case["text"].encode()), result.context, result.root, result.partition_count
    )
    assert shown.is_nmi_proven


@pytest.mark.parametrize("case", PROOFS["rejected"]["cases"], ids=lambda c: c["what"])
def test_rejected_site_proof(case: dict[str, Any]) -> None:
    result = computed(PROOFS["rejected"]["round"])
    with pytest.raises(site_proof.SiteProofError) as rejection:
        site_proof.verify_site(
            site_proof.read(case["text"].encode()),
            result.context,
            result.root,
            result.partition_count,
        )
    assert rejection.value.check == case["check"]


def test_every_check_of_a_site_proof_has_a_vector() -> None:
    assert {case["check"] for case in PROOFS["rejected"]["cases"]} == site_proof.CHECKS.keys()


# --- token lists ---------------------------------------------------------------------------------


@pytest.mark.parametrize("case", LISTS["lists"], ids=lambda c: c["aggregator"])
def test_token_list(case: dict[str, Any]) -> None:
    snapshot = unhex(LISTS["snapshot"])
    registry = load("round-blind.json")["inputs"]["registry"].encode()
    assert sha256(registry).digest() == snapshot
    names = {each["nmi"]: each["token"] for each in load("tokens.json")["tokens"][:10]}
    lists = token_list.lists_of(parse_snapshot(registry), snapshot, names)
    (mine,) = [each for each in lists if each.aggregator_id == case["aggregator"]]
    written = token_list.write(mine)
    assert written.decode() == case["text"]
    padded = token_list.pad(written)
    assert padded == unhex(case["framed"]).ljust(case["paddedSize"], b"\0")
    assert sha256(padded).hexdigest() == case["paddedSha256"]
    assert token_list.sealing_info(snapshot).hex() == case["info"]
    assert token_list.list_name(snapshot, unhex(case["publicKey"])) == case["name"]
    read = token_list.read(token_list.unpad(padded))
    token_list.check(read, case["aggregator"], snapshot)
    assert read == mine


def test_empty_token_list() -> None:
    snapshot = unhex(LISTS["snapshot"])
    empty = token_list.TokenList(snapshot, "nobody", {})
    assert token_list.write(empty).decode() == LISTS["emptyList"]
    assert token_list.read(LISTS["emptyList"].encode()) == empty


@pytest.mark.parametrize("case", LISTS["rejected"], ids=lambda c: c["what"])
def test_rejected_token_list(case: dict[str, Any]) -> None:
    held = computed("round-blind.json").partitions
    (mine,) = [partition.nmis for partition in held if partition.aggregator_id == "north"]
    with pytest.raises(token_list.TokenListError) as rejection:
        read = token_list.read(case["text"].encode())
        token_list.check(read, "north", unhex(LISTS["snapshot"]))
        token_list.resolve(mine, read)
    assert rejection.value.check == case["check"]


@pytest.mark.parametrize("case", LISTS["rejectedPadding"], ids=lambda c: c["what"])
def test_rejected_padding_of_a_token_list(case: dict[str, Any]) -> None:
    with pytest.raises(token_list.TokenListError) as rejection:
        token_list.read(token_list.unpad(unhex(case["framed"]).ljust(case["size"], b"\0")))
    assert rejection.value.check == "format"


def test_every_check_of_a_token_list_has_a_vector() -> None:
    checks = {case["check"] for case in LISTS["rejected"]}
    assert checks == token_list.CHECKS.keys() - {"opening"}
