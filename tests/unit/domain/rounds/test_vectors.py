"""The product reproduces every published vector (``docs/spec/vectors``), section by section."""

from __future__ import annotations

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oepnode.domain.documents.sources import BytesSource
from oepnode.domain.nem import nem_time, nmi, quantities, tokens
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds import ballot, custody, entries, merkle, precedence, pseudonyms
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.inputs.blocks import DocumentReader
from oepnode.domain.rounds.inputs.document_readers import open_document
from oepnode.domain.rounds.inputs.envelope_document import Document, parse_document
from oepnode.domain.rounds.inputs.registry_snapshot import parse_snapshot
from oepnode.errors import DigestMismatch, DocumentFault
from oepnode.worker.abstentions import reason_for
from tests.support.envelope_documents import SALT, dump, snapshot
from tests.support.partitioning import partition_reader, partition_round
from tests.support.site_entries import encode_sites

ROOT = Path(__file__).resolve().parents[4]
VECTORS = ROOT / "docs" / "spec" / "vectors"
ROUNDS = tuple(f"round-{name}.json" for name in ("array", "ndjson", "day", "wide", "blind"))
unhex = bytes.fromhex


def load(name: str) -> Any:
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


def feed(case: dict[str, Any]) -> Feed:
    return Feed(case["profile"], case["importSign"])


def context(case: dict[str, Any]) -> RoundContext:
    contract = unhex(case["contract"].removeprefix("0x"))
    return RoundContext(int(case["chainId"]), contract, int(case["round"]))


def test_the_vectors_are_those_of_the_reference_model() -> None:
    script = ROOT / "scripts" / "make-vectors"
    done = subprocess.run(
        [sys.executable, str(script), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(list(VECTORS.iterdir()))} vector files are current" in done.stdout


def test_every_vector_file_has_a_test() -> None:
    others = ("nmi", "tokens", "time", "limits", "keys", "entries", "trees", "rejected", "forms")
    here = {*ROUNDS, *(f"{name}.json" for name in others), "precedence.json", "parquet.json"}
    delivery = {"bundle.json", "site-proof.json", "token-list.json"}  # test_delivery_vectors.py
    storage = {"archive.json"}  # tests/unit/adapters/storage/test_archive_vectors.py
    # adapters/crypto: test_sealing.py, test_signed_vectors.py, test_certificate_vectors.py
    crypto = {"sealing.json", "grants.json", "signatures.json", "certificate.json"}
    assert {path.name for path in VECTORS.iterdir()} == here | delivery | storage | crypto


def test_nmi() -> None:
    vectors = load("nmi.json")
    for case in vectors["checksums"]:
        assert nmi.checksum(case["nmi"]) == case["checksum"]
        assert nmi.parse(f"{case['nmi']}{case['checksum']}") == case["nmi"]
    for case in vectors["accepted"]:
        assert nmi.parse(case["text"]) == case["nmi"]
    for case in vectors["rejected"]:
        with pytest.raises(nmi.NmiError) as rejection:
            nmi.parse(case["text"])
        assert rejection.value.code == case["rule"]


def test_tokens() -> None:
    vectors = load("tokens.json")
    for case in vectors["tokens"]:
        assert tokens.token_of(unhex(case["blindingKey"]), case["nmi"]) == case["token"]
    for text in vectors["accepted"]:
        assert tokens.parse_site_id(text) == text
    assert len(vectors["rejected"]) == 4
    for case in vectors["rejected"]:
        with pytest.raises(nmi.NmiError) as rejection:
            tokens.parse_site_id(case["text"])
        assert rejection.value.code == case["rule"]


def test_timestamps() -> None:
    vectors = load("time.json")
    for case in vectors["accepted"]:
        stamp = nem_time.parse_timestamp(case["text"])
        assert (stamp.seconds, stamp.micros) == (case["seconds"], case["micros"])
        assert (stamp.warning is not None) == case["warning"]
        if case["onGrid"]:
            assert nem_time.parse_grid_instant(case["text"]).seconds == case["seconds"]
        else:
            with pytest.raises(nem_time.OffGridError):
                nem_time.parse_grid_instant(case["text"])
    for case in vectors["rejected"]:
        with pytest.raises(ValueError):
            nem_time.parse_timestamp(case["text"])


def test_periods() -> None:
    for case in load("time.json")["periods"]:
        day = nem_time.parse_trading_date(case["tradingDate"])
        assert nem_time.period_start(day, case["period"]) == case["start"]
    for text in load("time.json")["rejectedDates"]:
        with pytest.raises(ValueError):
            nem_time.parse_trading_date(text)


def watts(case: dict[str, Any]) -> int:
    kind = quantities.KINDS.index(case["field"])
    return quantities.canonical_limit(
        quantities.parse_limit(case["text"], feed(case)), kind, feed(case)
    )


def test_limits() -> None:
    vectors = load("limits.json")
    for case in vectors["accepted"]:
        assert watts(case) == case["watts"]
    for case in vectors["rejected"]:
        with pytest.raises(quantities.QuantityError) as rejection:
            watts(case)
        assert rejection.value.code == case["rule"]


def test_keys() -> None:
    for case in load("keys.json")["cases"]:
        salt = unhex(case["salt"])
        pseudonyms.check_salt(salt, unhex(case["saltDigest"]))
        assert context(case).encode().hex() == case["context"]
        round_key = pseudonyms.round_key(salt, context(case))
        assert round_key.hex() == case["roundKey"]
        for aggregator in case["aggregators"]:
            key = pseudonyms.aggregator_key(round_key, aggregator["id"])
            assert key.hex() == aggregator["key"]
            pseudonym = pseudonyms.aggregator_pseudonym(key, aggregator["id"])
            assert pseudonym.hex() == aggregator["pseudonym"]
            for site in aggregator["sites"]:
                site_key = pseudonyms.site_key(key, site["nmi"])
                assert site_key.hex() == site["key"]
                assert pseudonyms.site_pseudonym(site_key, site["nmi"]).hex() == site["pseudonym"]


def test_site_entries() -> None:
    for case in load("entries.json")["siteEntries"]:
        header = entries.SiteHeader(
            case["level"],
            case["timing"],
            case["objective"],
            case["horizonStart"],
            len(case["limits"]),
        )
        columns = np.array(
            [[quantities.NO_LIMIT if v is None else v for v in row] for row in case["limits"]],
            dtype=np.int32,
        ).T[np.newaxis]
        (entry,) = encode_sites([unhex(case["pseudonym"])], [header], columns)
        assert entry.hex() == case["entry"]
        assert merkle.leaf_hash(entry).hex() == case["leafHash"]
        decoded = entries.decode_site(entry)
        assert (decoded.pseudonym.hex(), decoded.header) == (case["pseudonym"], header)
        assert np.array_equal(decoded.limits, columns[0])


def test_partition_entries() -> None:
    for case in load("entries.json")["partitionEntries"]:
        entry = entries.PartitionEntry(
            unhex(case["pseudonym"]), unhex(case["root"]), case["siteCount"]
        )
        assert entry.encode().hex() == case["entry"]
        assert merkle.leaf_hash(entry.encode()).hex() == case["leafHash"]
        assert entries.decode_partition(entry.encode()) == entry


def test_trees() -> None:
    vectors = load("trees.json")
    assert merkle.root_hash([]).hex() == vectors["emptyRoot"]
    for case in vectors["trees"]:
        leaves = [merkle.leaf_hash(unhex(entry)) for entry in case["entries"]]
        assert [leaf.hex() for leaf in leaves] == case["leafHashes"]
        root = merkle.root_hash(leaves)
        assert root.hex() == case["root"]
        for index, expected in enumerate(case["paths"]):
            path = merkle.inclusion_path(leaves, index)
            assert [sibling.hex() for sibling in path] == expected
            merkle.verify_inclusion(leaves[index], index, len(leaves), path, root)
    for case in vectors["largeTreesOfEntryN"]:
        size = case["size"]
        leaves = [merkle.leaf_hash(b"entry %d" % i) for i in range(size)]
        assert merkle.root_hash(leaves).hex() == case["root"]
        for proof in case["proofs"]:
            path = [unhex(sibling) for sibling in proof["path"]]
            assert merkle.inclusion_path(leaves, proof["index"]) == path
            merkle.verify_inclusion(
                leaves[proof["index"]], proof["index"], size, path, unhex(case["root"])
            )


def verify(case: dict[str, Any]) -> None:
    path = [unhex(sibling) for sibling in case["path"]]
    leaf, root = unhex(case["leaf"]), unhex(case["root"])
    merkle.verify_inclusion(leaf, case["index"], case["size"], path, root)


@pytest.mark.parametrize("case", load("trees.json")["rejected"], ids=lambda case: case["reason"])
def test_rejected_proof(case: dict[str, Any]) -> None:
    with pytest.raises(merkle.InclusionError):
        verify(case)


def test_sizes_of_the_same_shape() -> None:
    cases = load("trees.json")["provesAnotherSizeToo"]
    assert [case["size"] for case in cases] == [5, 6, 7, 8]
    for case in cases:
        verify(case)


def table(document: Document) -> list[dict[str, Any]]:
    """The rows of a document in the form of the vectors."""
    sites: list[dict[str, Any]] = [
        {
            "nmi": name.decode(),
            "level": int(level),
            "timing": int(timing),
            "objective": objective,
            "rows": [],
        }
        for name, level, timing, objective in zip(
            document.nmi.tolist(), document.level, document.timing, document.objective, strict=True
        )
    ]
    for site, interval, limits in zip(
        document.row_site, document.row_interval, document.limits.tolist(), strict=True
    ):
        start = document.horizon_start + int(interval) * nem_time.INTERVAL_S
        values = [None if value == quantities.NO_LIMIT else value for value in limits]
        sites[site]["rows"].append([start, *values])
    return sites


@pytest.mark.parametrize("name", ROUNDS)
def test_documents_of_whole_rounds(name: str) -> None:
    vector = load(name)
    inputs = vector["inputs"]
    data = inputs["envelope"].encode()
    assert sha256(data).hexdigest() == inputs["envelopeSha256"]
    assert sha256(inputs["registry"].encode()).hexdigest() == inputs["registrySha256"]
    document = parse_document(data, feed(inputs))
    assert document.horizon_start == vector["horizonStart"]
    assert document.interval_count == vector["intervalCount"]
    assert table(document) == vector["sites"]


@pytest.mark.parametrize("name", ROUNDS)
def test_whole_rounds(name: str) -> None:
    vector = load(name)
    inputs = vector["inputs"]
    result = partition_round(
        inputs["envelope"].encode(),
        parse_snapshot(inputs["registry"].encode()),
        unhex(inputs["salt"]),
        context(inputs),
        feed(inputs),
    )
    assert pseudonyms.round_key(unhex(inputs["salt"]), context(inputs)).hex() == vector["roundKey"]
    assert len(result.partitions) == len(vector["partitions"])
    for position, (actual, case) in enumerate(
        zip(result.partitions, vector["partitions"], strict=True)
    ):
        assert actual.aggregator_id == case["aggregator"]
        assert actual.key.hex() == case["key"]
        pseudonym = pseudonyms.aggregator_pseudonym(actual.key, actual.aggregator_id)
        assert pseudonym.hex() == case["pseudonym"]
        assert actual.root.hex() == case["root"]
        assert actual.entry.hex() == case["entry"]
        assert [sibling.hex() for sibling in result.path(position)] == case["path"]
        assert [entry.hex() for entry in actual.entries] == [s["entry"] for s in case["sites"]]
        assert list(actual.nmis) == [site["nmi"] for site in case["sites"]]
        leaves = [merkle.leaf_hash(entry) for entry in actual.entries]
        for index, site in enumerate(case["sites"]):
            site_key = pseudonyms.site_key(actual.key, site["nmi"])
            assert site_key.hex() == site["key"]
            assert pseudonyms.site_pseudonym(site_key, site["nmi"]).hex() == site["pseudonym"]
            assert leaves[index].hex() == site["leafHash"]
            path = merkle.inclusion_path(leaves, index)
            assert [sibling.hex() for sibling in path] == site["path"]
    assert result.root.hex() == vector["root"]
    assert result.partition_count == vector["partitionCount"]
    digest = ballot.result_hash(result.root, result.partition_count)
    assert digest.hex() == vector["resultHash"]
    where = context(inputs)
    for case in vector["ballots"]:
        index = case["index"]
        cast = ballot.ballot_hash(where.chain_id, where.contract, where.number, index, digest)
        assert cast.hex() == case["ballot"]


@pytest.mark.parametrize("case", load("precedence.json")["cases"], ids=lambda case: case["name"])
def test_precedence(case: dict[str, Any]) -> None:
    spans = precedence.spans_in_force(
        precedence.RoundHorizon(final["round"], final["horizonStart"], final["intervalCount"])
        for final in case["final"]
    )
    for start, expected in case["inForce"]:
        covering = [span.number for span in spans if span.start <= start < span.end]
        assert covering == ([] if expected is None else [expected])


@pytest.mark.parametrize("name", ROUNDS)
def test_custody_roots_of_whole_rounds(name: str) -> None:
    vector = load(name)
    inputs = vector["inputs"]
    result = partition_round(
        inputs["envelope"].encode(),
        parse_snapshot(inputs["registry"].encode()),
        unhex(inputs["salt"]),
        context(inputs),
        feed(inputs),
    )
    assert len({case["root"] for case in vector["custodyRoots"]}) == 3
    for case in vector["custodyRoots"]:
        operator = unhex(case["operator"].removeprefix("0x"))
        assert custody.custody_root(operator, result.partitions).hex() == case["root"]


def test_the_good_documents_that_the_rejected_ones_are_made_of() -> None:
    accepted = load("rejected.json")["accepted"]
    assert parse_document(accepted["envelope"].encode()).interval_count == 1
    assert len(parse_snapshot(accepted["registry"].encode()).aggregators) == 3


@pytest.mark.parametrize(
    "case", load("rejected.json")["accepted"]["envelopes"], ids=lambda case: case["name"]
)
def test_accepted_envelope(case: dict[str, Any]) -> None:
    document = parse_document(case["text"].encode(), feed(case))
    expected = case["horizonStart"], case["intervalCount"]
    assert (document.horizon_start, document.interval_count) == expected
    assert table(document) == case["sites"]


@pytest.mark.parametrize(
    "case", load("rejected.json")["accepted"]["registries"], ids=lambda case: case["name"]
)
def test_accepted_registry(case: dict[str, Any]) -> None:
    snapshot = parse_snapshot(case["text"].encode())
    assert (len(snapshot.aggregators), len(snapshot.nmi)) == (
        case["aggregators"],
        case["assignments"],
    )


@pytest.mark.parametrize(
    "case", load("rejected.json")["accepted"]["pairs"], ids=lambda case: case["name"]
)
def test_accepted_pair(case: dict[str, Any]) -> None:
    result = partition_round(
        case["envelope"].encode(),
        parse_snapshot(case["registry"].encode()),
        unhex(case["salt"]),
        context(case),
    )
    assert [partition.aggregator_id for partition in result.partitions] == case["holders"]
    assert result.root.hex() == case["root"]


@pytest.mark.parametrize("case", load("rejected.json")["salts"], ids=lambda case: case["name"])
def test_rejected_salt(case: dict[str, Any]) -> None:
    snapshot = parse_snapshot(load("rejected.json")["accepted"]["registry"].encode())
    document = load("rejected.json")["accepted"]["envelope"].encode()
    with pytest.raises(DigestMismatch) as rejection:
        partition_round(document, snapshot, unhex(case["salt"]), RoundContext(1, bytes(20), 1))
    assert reason_for(rejection.value).value == case["reason"]


@pytest.mark.parametrize("case", load("rejected.json")["envelopes"], ids=lambda case: case["name"])
def test_rejected_envelope(case: dict[str, Any]) -> None:
    data = unhex(case["bytes"]) if "bytes" in case else case["text"].encode()
    with pytest.raises(DocumentFault) as rejection:
        parse_document(data, feed(case))
    assert (case["path"], case["rule"]) in {(f.path, f.code) for f in rejection.value.faults}
    codes = {fault.code for fault in rejection.value.faults}
    assert codes == {case["rule"], *case.get("alsoRules", ())}


@pytest.mark.parametrize("case", load("rejected.json")["registries"], ids=lambda case: case["name"])
def test_rejected_registry(case: dict[str, Any]) -> None:
    data = unhex(case["bytes"]) if "bytes" in case else case["text"].encode()
    with pytest.raises(DocumentFault) as rejection:
        parse_snapshot(data)
    assert (case["path"], case["rule"]) in {(f.path, f.code) for f in rejection.value.faults}


@pytest.mark.parametrize("case", load("rejected.json")["pairs"], ids=lambda case: case["name"])
def test_rejected_pair(case: dict[str, Any]) -> None:
    document = case["envelope"].encode()
    snapshot = parse_snapshot(case["registry"].encode())
    with pytest.raises(DocumentFault) as rejection:
        partition_round(document, snapshot, unhex(case["salt"]), RoundContext(1, bytes(20), 1))
    assert [(f.path, f.code) for f in rejection.value.faults] == [(case["path"], case["rule"])]


def test_a_blind_round_is_the_same_round_with_tokens() -> None:
    """Only pseudonyms and what follows from them differ: limits and sizes do not."""
    plain, blind = load("round-array.json"), load("round-blind.json")
    names = {case["nmi"]: case["token"] for case in load("tokens.json")["tokens"][:10]}
    assert {(site["nmi"], site["level"]): site["rows"] for site in blind["sites"]} == {
        (names[site["nmi"]], site["level"]): site["rows"] for site in plain["sites"]
    }
    assert not any(name in json.dumps(blind) for name in names)


@pytest.mark.parametrize("case", load("parquet.json")["accepted"], ids=lambda case: case["name"])
def test_accepted_parquet(case: dict[str, Any]) -> None:
    inputs, data = load(case["round"])["inputs"], unhex(case["bytes"])
    assert sha256(data).hexdigest() == case["sha256"]
    result = partition_round(
        data,
        parse_snapshot(inputs["registry"].encode()),
        unhex(inputs["salt"]),
        context(inputs),
        feed(inputs),
    )
    assert result.root.hex() == case["root"] == load(case["round"])["root"]


@pytest.mark.parametrize("case", load("parquet.json")["rejected"], ids=lambda case: case["name"])
def test_rejected_parquet(case: dict[str, Any]) -> None:
    nobody = parse_snapshot(dump(snapshot()).encode())
    context = RoundContext(1, bytes(20), 1)
    with pytest.raises(DocumentFault) as rejection:
        partition_round(unhex(case["bytes"]), nobody, SALT, context, feed(case))
    assert case["rule"] in {fault.code for fault in rejection.value.faults}
    assert reason_for(rejection.value).value == 3


def document_of(case: dict[str, Any], given: Feed) -> DocumentReader:
    parts = {sha256(part).digest(): BytesSource(part) for part in map(unhex, case["parts"])}
    return open_document(BytesSource(unhex(case["bytes"])), given, parts.__getitem__)


@pytest.mark.parametrize("case", load("forms.json")["accepted"], ids=lambda case: case["name"])
def test_accepted_forms(case: dict[str, Any]) -> None:
    expected = load(case["round"])
    inputs = expected["inputs"]
    assert sha256(unhex(case["bytes"])).hexdigest() == case["sha256"]
    result = partition_reader(
        lambda: document_of(case, feed(inputs)),
        parse_snapshot(inputs["registry"].encode()),
        unhex(inputs["salt"]),
        context(inputs),
    )
    assert result.root.hex() == case["root"] == expected["root"]


@pytest.mark.parametrize("case", load("forms.json")["rejected"], ids=lambda case: case["name"])
def test_rejected_forms(case: dict[str, Any]) -> None:
    nobody = parse_snapshot(dump(snapshot()).encode())
    with pytest.raises(DocumentFault) as rejection:
        partition_reader(
            lambda: document_of(case, Feed()), nobody, SALT, RoundContext(1, bytes(20), 1)
        )
    assert case["rule"] in {fault.code for fault in rejection.value.faults}
    assert reason_for(rejection.value).value == 3
