"""A certificate decides the round for those who ask no node; who votes in it is theirs to say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from oepnode.client import (
    CertificateFault,
    CertifiedRound,
    ChainTarget,
    KnownElectorate,
    OperatorsNotNamedError,
    RoundSelector,
    bundle_limits,
    check_bundle,
    to_json,
    verify_certificate,
)
from oepnode.client.certificates import UNPROVEN
from oepnode.domain.rounds.ballot import Result
from oepnode.domain.rounds.certificate import CertifiedElectorate
from oepnode.errors import ConfigError
from tests.support.certificates import (
    KNOWN,
    MEMBERS,
    OPERATORS,
    certificate,
    direct,
    operators_file,
    write_certificate,
)
from tests.support.round_world import ADDRESSES, CONTEXT, RESULT

NOWHERE = ChainTarget()


def test_a_certificate_verifies_without_a_chain(tmp_path: Path) -> None:
    report = verify_certificate(write_certificate(tmp_path), KNOWN, 3)
    assert (report.round, report.root) == (3, "0x" + RESULT.root.hex())
    assert (report.quorum, report.member_count, report.direct) == (3, 5, 1)
    assert report.matched == tuple(ADDRESSES[:3])
    assert report.notes == (UNPROVEN,)
    assert to_json(report)["stated"]["epoch"] == 1
    assert verify_certificate(write_certificate(tmp_path), KNOWN) == report


def test_a_fault_has_the_names_of_the_file_and_of_the_check(tmp_path: Path) -> None:
    file = write_certificate(tmp_path)
    with pytest.raises(CertificateFault, match=f"certificate.other_round: {file}: it is for") as f:
        verify_certificate(file, KNOWN, 4)
    assert f.value.code == "certificate.other_round"
    file.write_bytes(b"{}")
    with pytest.raises(CertificateFault, match=r"certificate\.malformed"):
        verify_certificate(file, KNOWN)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "c.json"
    file.write_bytes(b" " * (2**20 + 1))
    with pytest.raises(ConfigError, match="larger than any certificate"):
        verify_certificate(file, KNOWN)
    with pytest.raises(ConfigError, match="certificate not readable"):
        verify_certificate(tmp_path / "none", KNOWN)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"chain_id": 1}, "certificate.other_chain"),
        ({"contract": "0x" + "22" * 20}, "certificate.other_contract"),
        ({"quorum": 4}, "certificate.other_quorum"),
        ({"operators": OPERATORS[:4]}, "certificate.other_members"),
        ({"operators": [*OPERATORS[:4], f"5:{OPERATORS[4]}"]}, "certificate.other_members"),
        ({"operators": [OPERATORS[1], OPERATORS[0], *OPERATORS[2:]]}, "certificate.other_members"),
    ],
)
def test_what_the_verifier_knows_decides(tmp_path: Path, change: dict[str, Any], code: str) -> None:
    with pytest.raises(CertificateFault) as fault:
        verify_certificate(write_certificate(tmp_path), replace(KNOWN, **change))
    assert fault.value.code == code


# --- the verifier's list -------------------------------------------------------------------------


def test_the_list_may_be_a_file(tmp_path: Path) -> None:
    file = operators_file(tmp_path)
    known = replace(KNOWN, operators=(), operators_file=file)
    assert verify_certificate(write_certificate(tmp_path), known).quorum == 3
    half = replace(
        KNOWN, operators=OPERATORS[2:], operators_file=operators_file(tmp_path, OPERATORS[:2])
    )
    assert verify_certificate(write_certificate(tmp_path), half).quorum == 3


def test_a_free_index_is_skipped(tmp_path: Path) -> None:
    members = tuple(member for member in MEMBERS if member.index != 1)
    made = certificate(direct(0), direct(2), direct(3), electorate=CertifiedElectorate(members, 3))
    file = write_certificate(tmp_path, made)
    entries = [OPERATORS[0], "2: " + OPERATORS[2].replace("=", " = "), *OPERATORS[3:]]
    known = KnownElectorate(KNOWN.chain_id, KNOWN.contract, 3, entries)
    assert verify_certificate(file, known).matched == tuple(ADDRESSES[i] for i in (0, 2, 3))
    with pytest.raises(CertificateFault, match="member 1 is absent in it"):
        verify_certificate(file, replace(known, operators=[OPERATORS[0], *OPERATORS[2:]]))


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ((OPERATORS[0].partition("=")[0],), "write OPERATOR=SIGNER"),
        (("0xabc=0xdef",), "an address must be"),
        (("128:" + OPERATORS[0],), "an index is a number from 0 to 127"),
        (("-1:" + OPERATORS[0],), "an index is a number from 0 to 127"),
        (("²:" + OPERATORS[0],), "an index is a number from 0 to 127"),
        (("9" * 5000 + ":" + OPERATORS[0],), "an index is a number from 0 to 127"),
        (("127:" + OPERATORS[0], OPERATORS[1]), "an index is a number from 0 to 127"),
        ((*OPERATORS, OPERATORS[0]), "two members have the operator"),
        ((*OPERATORS[:2], "0:" + OPERATORS[2]), "two members have the index"),
        (("3:" + OPERATORS[0], "1:" + OPERATORS[1], "2:" + OPERATORS[2]), "not in order of index"),
        ((OPERATORS[0], ADDRESSES[1] + "=" + OPERATORS[0].partition("=")[2]), "have the signer"),
    ],
)
def test_a_list_that_is_none_is_wrong_usage(
    tmp_path: Path, entries: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        verify_certificate(write_certificate(tmp_path), replace(KNOWN, operators=entries))


@pytest.mark.parametrize("quorum", [0, 2, 6])
def test_a_quorum_that_is_no_majority_is_wrong_usage(tmp_path: Path, quorum: int) -> None:
    with pytest.raises(ConfigError, match="is no strict majority of 5 members"):
        verify_certificate(write_certificate(tmp_path), replace(KNOWN, quorum=quorum))


def test_a_list_is_needed(tmp_path: Path) -> None:
    with pytest.raises(OperatorsNotNamedError):
        verify_certificate(write_certificate(tmp_path), replace(KNOWN, operators=()))
    file = tmp_path / "operators.bin"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not a text of OPERATOR=SIGNER"):
        verify_certificate(write_certificate(tmp_path), replace(KNOWN, operators_file=file))


# --- in place of the chain -----------------------------------------------------------------------


def selector(tmp_path: Path, **changes: Any) -> RoundSelector:
    file = write_certificate(tmp_path, **changes)
    return RoundSelector(NOWHERE, certificate=CertifiedRound(file, KNOWN))


def test_an_aggregator_verifies_its_bundle_without_a_chain(folder: Path) -> None:
    check = check_bundle(folder / "A1.oepb", folder / "A1.json", selector(folder))
    assert check.failure is None
    assert check.notes == (UNPROVEN,)
    assert check.final.source == "certificate round-3.certificate.json, signed by 3 of 5 members"
    assert bundle_limits(check.verified).height > 0


def test_a_bundle_of_another_round_fails(folder: Path) -> None:
    context = replace_number(2)
    made = certificate(*(direct(i, context) for i in range(3)), context=context)
    other = RoundSelector(
        NOWHERE, certificate=CertifiedRound(write_certificate(folder, made), KNOWN)
    )
    check = check_bundle(folder / "A1.oepb", folder / "A1.json", other)
    assert check.failure is not None and check.failure.check == "context"
    with pytest.raises(CertificateFault, match="it is for round 2, expected 3"):
        check_bundle(folder / "A1.oepb", folder / "A1.json", replace(other, number=3))


def test_a_bundle_of_another_root_fails(folder: Path) -> None:
    forged = Result(b"\xbb" * 32, RESULT.partition_count)
    made = certificate(*(direct(i, result=forged) for i in range(3)), result=forged)
    other = RoundSelector(
        NOWHERE, certificate=CertifiedRound(write_certificate(folder, made), KNOWN)
    )
    check = check_bundle(folder / "A1.oepb", folder / "A1.json", other)
    assert check.bundle is None and check.failure is not None


def test_a_certificate_that_fails_gives_no_round(folder: Path) -> None:
    ballots = json.loads(write_certificate(folder).read_text())["ballots"]
    with pytest.raises(CertificateFault, match=r"certificate\.quorum"):
        check_bundle(folder / "A1.oepb", folder / "A1.json", selector(folder, ballots=ballots[:2]))


def replace_number(number: int) -> Any:
    return type(CONTEXT)(CONTEXT.chain_id, CONTEXT.contract, number)
