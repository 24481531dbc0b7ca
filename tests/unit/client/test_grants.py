"""Grant lists in an audit: members without inputs are marked, and no other list counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from msgspec.structs import replace

from oepnode.client import ChainTarget, GrantSources, SignerNotNamedError, audit_round
from oepnode.client.grants import TOLERANCE_S
from oepnode.domain.rounds.grants import Grant, GrantFault
from oepnode.errors import ConfigError, EvidenceError
from tests.support.grant_lists import SIGNERS, edited, grant_list, signed, without, write
from tests.support.round_world import ADDRESSES, MEMBERS, OPENED_AT

OPERATORS = [member.operator for member in MEMBERS]


def sources(*lists: str, **changes: Any) -> GrantSources:
    named = {"registry_signer": SIGNERS["registry"], "sender_signer": SIGNERS["sender"]}
    return GrantSources(lists=lists, **(named | changes))


def test_members_that_were_granted_everything_are_not_marked(
    chain: ChainTarget, tmp_path: Path
) -> None:
    files = write(tmp_path, signed(grant_list("sender")), signed(grant_list("registry")))
    audit = audit_round(chain, 3, sources(*files))
    assert [(m.inputs, m.missing_inputs) for m in audit.members] == [("granted", ())] * 5
    assert [(r.service, r.signer, r.grants) for r in audit.grants] == [
        ("sender", SIGNERS["sender"].lower(), 5),
        ("registry", SIGNERS["registry"].lower(), 10),
    ]
    audit.require_inputs_granted()


def test_a_member_that_voted_without_inputs_is_marked(chain: ChainTarget, tmp_path: Path) -> None:
    sender = without(grant_list("sender"), OPERATORS[0], OPERATORS[4])
    registry = without(grant_list("registry"), OPERATORS[0])
    files = write(tmp_path, signed(sender), signed(registry))
    audit = audit_round(chain, 3, sources(*files))
    assert audit.members[0].inputs == "not granted"
    assert audit.members[0].missing_inputs == ("document", "salt", "snapshot")
    assert [member.is_marked for member in audit.members] == [True, False, False, False, False]
    assert audit.members[4].missing_inputs == ("document",)  # it abstained, and is not marked
    with pytest.raises(EvidenceError, match=f"without having been granted.*{ADDRESSES[0]}$"):
        audit.require_inputs_granted()


def test_the_salt_alone_is_not_enough(chain: ChainTarget, tmp_path: Path) -> None:
    registry = grant_list("registry")
    salts = tuple(g for g in registry.grants if g.input == "salt" or g.operator != OPERATORS[2])
    (file,) = write(tmp_path, signed(replace(registry, grants=salts)))
    audit = audit_round(chain, 3, sources(file))
    assert [member.missing_inputs for member in audit.members] == [
        (), (), ("snapshot",), (), (),
    ]  # fmt: skip


def test_a_grant_after_the_vote_is_late(chain: ChainTarget, tmp_path: Path) -> None:
    others = without(grant_list("sender"), OPERATORS[0]).grants
    voted_at = OPENED_AT + 2

    def audited(at: int) -> Any:
        grants = (Grant(OPERATORS[0], "document", at), *others)
        (file,) = write(tmp_path, signed(grant_list("sender", grants=grants)))
        return audit_round(chain, 3, sources(file)).members[0]

    assert not audited(voted_at + TOLERANCE_S).is_marked
    late = audited(voted_at + TOLERANCE_S + 1)
    assert (late.inputs, late.missing_inputs, late.is_marked) == ("late", ("document",), True)


def test_without_lists_nothing_is_said(chain: ChainTarget) -> None:
    audit = audit_round(chain, 3)
    assert {member.inputs for member in audit.members} == {None}
    assert audit.grants == ()
    audit.require_inputs_granted()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (edited(signed(grant_list("registry")), round=4), "grants.other_round"),
        (edited(signed(grant_list("registry")), chainId=1), "grants.other_chain"),
        (edited(signed(grant_list("registry")), contract="0x" + "12" * 20), "other_contract"),
        (edited(signed(grant_list("registry")), registryDigest="00" * 32), "grants.other_inputs"),
        (edited(signed(grant_list("registry")), grants=[]), "grants.signer"),
        (edited(signed(grant_list("registry")), signature="00" * 65), "grants.signature"),
        (signed(grant_list("registry"), Account.from_key(b"\x41" * 32)), "grants.signer"),
        (signed(grant_list("registry", is_final=False)), "grants.not_final"),
        (signed(grant_list("registry", issued_at=OPENED_AT + 4)), "grants.not_final"),
    ],
)
def test_any_other_list_is_rejected_by_name(
    chain: ChainTarget, tmp_path: Path, data: bytes, code: str
) -> None:
    with pytest.raises(GrantFault, match=code):
        audit_round(chain, 3, sources(*write(tmp_path, data)))


def test_two_lists_of_one_service_are_rejected(chain: ChainTarget, tmp_path: Path) -> None:
    files = write(tmp_path, signed(grant_list("sender")), signed(grant_list("sender")))
    with pytest.raises(GrantFault, match=r"grants\.second_list"):
        audit_round(chain, 3, sources(*files))


def test_the_senders_lists_are_signed_by_the_account_that_opened_the_round(
    chain: ChainTarget, tmp_path: Path
) -> None:
    (file,) = write(tmp_path, signed(grant_list("sender")))
    with pytest.raises(GrantFault, match="0x" + "99" * 20):
        audit_round(chain, 3, sources(file, sender_signer=None))


def test_the_registrys_signer_must_be_named(chain: ChainTarget, tmp_path: Path) -> None:
    (file,) = write(tmp_path, signed(grant_list("registry")))
    with pytest.raises(SignerNotNamedError):
        audit_round(chain, 3, sources(file, registry_signer=None))
    with pytest.raises(ConfigError, match="address"):
        audit_round(chain, 3, sources(file, registry_signer="0x12"))


def test_a_file_of_another_kind_is_named(chain: ChainTarget, tmp_path: Path) -> None:
    other = tmp_path / "round.json"
    other.write_text('{"round": 1}')
    with pytest.raises(GrantFault, match=f"grants.malformed: {other}: "):
        audit_round(chain, 3, sources(str(other)))


def test_a_missing_file_is_wrong_usage(chain: ChainTarget) -> None:
    with pytest.raises(ConfigError, match="grant list"):
        audit_round(chain, 3, sources("nowhere.json"))
