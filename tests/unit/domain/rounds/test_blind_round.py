"""A round in blind mode: the same computation, on tokens."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec.structs import replace as with_values

from oepnode.domain.documents.sources import digest_of
from oepnode.domain.rounds import bundle, bundle_reading, bundle_writing, site_proof
from oepnode.domain.rounds.ballot import Reason
from oepnode.domain.rounds.bundle import BundleError
from oepnode.domain.rounds.computation import Inputs, compute
from oepnode.errors import DocumentFault
from oepnode.worker.abstentions import reason_for
from tests.support import round_world
from tests.support.blind_world import (
    BLIND_ENVELOPE,
    BLIND_REGISTRY,
    INPUTS,
    NMIS,
    RESULT,
    TOKENS,
    opened_blind,
)
from tests.support.round_world import CONTEXT, NOBODYS

ROOT, COUNT = RESULT.root, RESULT.partition_count


def index_of(name: str) -> int:
    return next(i for i, p in enumerate(RESULT.partitions) if p.aggregator_id == name)


def verified(name: str = "A1") -> bundle.VerifiedBundle:
    plaintext = b"".join(bundle_writing.build(RESULT, index_of(name)))
    return bundle_reading.verify(plaintext, name, CONTEXT, ROOT, COUNT)


def test_each_partition_has_the_sites_of_the_round_that_is_not_blind() -> None:
    plain = {p.aggregator_id: p for p in round_world.RESULT.partitions}
    blind = {p.aggregator_id: p for p in RESULT.partitions}
    assert plain.keys() == blind.keys()
    nmis = {token: nmi for nmi, token in TOKENS.items()}
    for name in round_world.IDS:
        assert sorted(nmis[t] for t in blind[name].nmis) == sorted(plain[name].nmis)
        assert blind[name].root != plain[name].root
    assert len(blind[""].nmis) == 1
    text = repr([p.nmis for p in blind.values()])
    assert not any(nmi in text for nmi in (*NMIS, NOBODYS))


@pytest.mark.parametrize(
    ("inputs", "kinds"),
    [
        (replace(INPUTS, envelope=round_world.ENVELOPE), ("NMIs", "tokens")),
        (replace(INPUTS, registry=round_world.REGISTRY), ("tokens", "NMIs")),
    ],
)
def test_inputs_of_two_kinds_are_a_reason_to_abstain(
    inputs: Inputs, kinds: tuple[str, str]
) -> None:
    opened = with_values(
        opened_blind(),
        envelope_digest=digest_of(inputs.envelope),
        registry_digest=digest_of(inputs.registry),
    )
    with pytest.raises(DocumentFault) as caught:
        compute(inputs, CONTEXT, opened)
    assert [fault.code for fault in caught.value.faults] == ["nmi.kind"]
    message = f"the document has {kinds[0]}, and the registry snapshot {kinds[1]}"
    assert caught.value.faults[0].message == message
    assert reason_for(caught.value) is Reason.INPUT_INVALID


def test_a_bundle_of_tokens_verifies() -> None:
    for name in round_world.IDS:
        assert verified(name).is_blind
        assert set(verified(name).nmis) <= set(TOKENS.values())
    assert not round_world.verified().is_blind


def test_every_other_width_of_identifiers_is_rejected() -> None:
    partition = RESULT.partitions[index_of("A1")]
    for wrong in (
        lambda name: name[:31],
        lambda name: name[:10] + "-" * 6,
        lambda name: name + "0",
        lambda _: "",
    ):
        changed = replace(partition, nmis=tuple(map(wrong, partition.nmis)))
        partitions = list(RESULT.partitions)
        partitions[index_of("A1")] = changed
        result = replace(RESULT, partitions=tuple(partitions))
        plaintext = b"".join(bundle_writing.build(result, index_of("A1")))
        with pytest.raises(BundleError) as caught:
            bundle_reading.verify(plaintext, "A1", CONTEXT, ROOT, COUNT)
        assert caught.value.check == "site-count"


def test_a_proof_of_a_site_names_its_token() -> None:
    token = verified().nmis[0]
    proof = site_proof.read(site_proof.write(site_proof.cut(verified(), token, disclose_key=True)))
    assert site_proof.verify_site(proof, CONTEXT, ROOT, COUNT).nmi == token
    for wrong in (token.upper(), token[:-1], token + "0"):
        data = site_proof.write(site_proof.cut(verified(), token)).replace(
            token.encode(), wrong.encode()
        )
        with pytest.raises(site_proof.SiteProofError) as caught:
            site_proof.read(data)
        assert caught.value.check == "format"


def test_the_inputs_hold_no_nmi() -> None:
    for data in (BLIND_ENVELOPE, BLIND_REGISTRY):
        assert not any(nmi.encode() in data for nmi in (*NMIS, NOBODYS))
