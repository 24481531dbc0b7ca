"""What a certificate proves: signatures of known signers for one result, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from oepnode.adapters.crypto.ballot_signature import recover_account
from oepnode.domain.rounds.ballot import Result
from oepnode.domain.rounds.certificate import (
    CertificateFault,
    CertifiedElectorate,
    Evidence,
    electorate_problem,
    find_evidence,
)
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.onchain import Member
from tests.support.certificates import (
    ELECTORATE,
    EXPECTED,
    KEYS,
    MEMBERS,
    certificate,
    direct,
    relayed,
    verified,
    vote_of,
)
from tests.support.round_world import CONTEXT, RESULT

EARLIER = RoundContext(CONTEXT.chain_id, CONTEXT.contract, 2)
FORGED = Result(b"\xbb" * 32, RESULT.partition_count)


def code_of(*ballots: Evidence, **changes: Any) -> str:
    with pytest.raises(CertificateFault) as fault:
        verified(certificate(*ballots, **changes))
    return fault.value.code


def test_direct_and_relayed_ballots_count_alike() -> None:
    assert verified(certificate()) == [0, 1, 2]
    assert verified(certificate(relayed(1), direct(3), direct(4))) == [1, 3, 4]
    assert verified(certificate(*(direct(i) for i in range(5)))) == [0, 1, 2, 3, 4]


def test_a_quorum_is_needed() -> None:
    assert code_of(direct(0), relayed(1)) == "certificate.quorum"


@pytest.mark.parametrize("make", [direct, relayed])
def test_another_root_is_not_proven(make: Any) -> None:
    assert code_of(result=FORGED) == "ballot.other_result"
    assert code_of(direct(0), direct(1), make(2, result=FORGED)) == "ballot.other_result"


@pytest.mark.parametrize("make", [direct, relayed])
def test_one_bad_ballot_among_enough_rejects_the_certificate(make: Any) -> None:
    stranger = make(3, key=KEYS[5])
    assert code_of(direct(0), direct(1), direct(2), stranger) == "ballot.signer"


def test_ballots_of_another_round_do_not_count() -> None:
    assert code_of(direct(0), direct(1), direct(2, EARLIER)) == "ballot.other_round"
    assert code_of(direct(0), direct(1), relayed(2, EARLIER)) == "ballot.other_result"
    whole = certificate(*(direct(i, EARLIER) for i in range(3)), context=EARLIER)
    assert verified(whole, replace(EXPECTED, number=None)) == [0, 1, 2]
    with pytest.raises(CertificateFault, match="is for round 2, expected 3"):
        verified(whole)


def test_a_ballot_of_one_member_is_not_anothers() -> None:
    copied = replace(direct(0), index=2)
    assert code_of(direct(0), direct(1), copied) == "ballot.other_result"
    assert code_of(direct(0), direct(1), direct(2, key=KEYS[1])) == "ballot.signer"


def test_the_file_names_the_member_whose_ballot_fails() -> None:
    with pytest.raises(CertificateFault, match=r"ballot of member 2 \(0xa2a2"):
        verified(certificate(direct(0), direct(1), relayed(2, key=KEYS[5])))


@pytest.mark.parametrize(
    ("members", "quorum", "code"),
    [
        (MEMBERS, 2, "certificate.majority"),
        (MEMBERS[:4], 2, "certificate.majority"),
        (MEMBERS, 6, "certificate.majority"),
        (MEMBERS[::-1], 3, "certificate.order"),
        ((*MEMBERS, MEMBERS[0]), 4, "certificate.duplicate"),
        ((*MEMBERS, Member(9, b"\xa9" * 20, MEMBERS[0].signer)), 4, "certificate.duplicate"),
        ((*MEMBERS, Member(9, MEMBERS[0].operator, b"\xb9" * 20)), 4, "certificate.duplicate"),
    ],
)
def test_electorates_that_are_none(members: tuple[Member, ...], quorum: int, code: str) -> None:
    problem = electorate_problem(CertifiedElectorate(members, quorum))
    assert problem is not None and problem[0] == code
    assert electorate_problem(ELECTORATE) is None


@pytest.mark.parametrize(
    "stated",
    [
        CertifiedElectorate(MEMBERS[:4], 3),
        CertifiedElectorate((*MEMBERS, Member(7, b"\xa7" * 20, b"\xb7" * 20)), 4),
        CertifiedElectorate((*MEMBERS[:4], replace(MEMBERS[4], signer=b"\xb9" * 20)), 3),
        CertifiedElectorate((*MEMBERS[:4], replace(MEMBERS[4], index=9)), 3),
    ],
)
def test_the_file_does_not_decide_who_the_members_are(stated: CertifiedElectorate) -> None:
    assert code_of(electorate=stated) == "certificate.other_members"
    assert code_of(electorate=CertifiedElectorate(MEMBERS, 4)) == "certificate.other_quorum"


# --- finding evidence ----------------------------------------------------------------------------


def found(carried: bytes, index: int) -> Evidence | None:
    return find_evidence(
        carried, CONTEXT, MEMBERS[index], vote_of(index), RESULT.result, recover_account
    )


def test_evidence_is_found_in_what_carried_the_ballot() -> None:
    assert found(direct(1).data, 1) == direct(1)
    batch = b"\x99" * 100 + relayed(0).data + relayed(1).data + b"\x99" * 7
    assert found(batch, 1) == relayed(1)
    assert found(batch, 2) is None
    assert found(batch[: -7 - 1], 1) is None


def test_a_vote_that_stands_there_before_with_a_forged_signature_hides_nothing() -> None:
    forged = relayed(1, key=KEYS[5])
    assert found(forged.data, 1) is None
    assert found(forged.data + relayed(1).data, 1) == relayed(1)
    assert found(direct(1, key=KEYS[5]).data, 1) is None
