"""Every node that somebody can reach shows another root, with a whole history that fits.

Who: the operator of the only node that an aggregator or an auditor has, or all operators together,
or whoever sits between. The node shows another final root in ``round()``, ``record()`` and the
events, and ballots that are for it. Nothing contradicts anything, so ``audit round`` exits with 0
and ``aggregator verify`` accepts a forged bundle. Or somebody hands over a file instead, which
claims to prove the forged root: with real ballots of another round, with one ballot twice, with
signatures of a retired or a foreign key.

What stops it now: a certificate (docs/spec/certificate.md) holds what each member signed, and is
verified against operators, signers, quorum, chain and contract that the reader knows
(``domain/rounds/certificate.py``). The node cannot make one for its root
(``client/certifying.py``), and one that somebody with an honest node made shows the true root
without any node.

What remains: a certificate does not show whether the round was cancelled while it was voting, or
superseded later; only the chain does. The reader's list has to be right: who believes the list of a
stranger believes the stranger's quorum.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from msgspec.structs import replace

from oepnode.adapters.crypto.ballot_signature import sign_ballot
from oepnode.client import (
    CertificateFault,
    CertifiedRound,
    ChainTarget,
    KnownElectorate,
    RoundSelector,
    audit_round,
    certify_round,
    final_round,
    verify_certificate,
)
from oepnode.demo.devnet import CHAIN_ID, Devnet, account
from oepnode.domain.rounds import certificate
from oepnode.domain.rounds.ballot import Result, Vote, ballot_for
from oepnode.domain.rounds.context import RoundContext
from oepnode.errors import OepError, TransportError
from tests.attacks.support.chain_world import CUSTODY, RESULT, ChainWorld, chain_world
from tests.attacks.support.lying_node import Answer, Lie, lying_node

FORGED = Result(b"\xbb" * 32, RESULT.partitions)
OPERATORS = [f"{account(10 + seat).address}={account(20 + seat).address}" for seat in range(3)]
STRANGERS = [account(40 + seat) for seat in range(3)]
Forge = Callable[[dict[str, Any]], None]


@dataclass
class Attacked:
    """A final round, a certificate of it, and what its readers know."""

    world: ChainWorld
    number: int
    honest: dict[str, Any]
    folder: Path

    @property
    def context(self) -> RoundContext:
        return RoundContext(CHAIN_ID, self.world.admin.contract, self.number)

    @property
    def known(self) -> KnownElectorate:
        return KnownElectorate(CHAIN_ID, self.world.settings.contract, 2, OPERATORS)

    def target(self, url: str) -> ChainTarget:
        return ChainTarget(url, self.world.settings.contract)

    def file(self, value: dict[str, Any]) -> Path:
        path = self.folder / "given.json"
        path.write_text(json.dumps(value))
        return path

    def offline(self, value: dict[str, Any]) -> RoundSelector:
        """The round as a reader without a node takes it."""
        return RoundSelector(
            ChainTarget(), certificate=CertifiedRound(self.file(value), self.known)
        )

    def signed(self, seat: int, result: Result, by: LocalAccount) -> dict[str, Any]:
        vote = Vote(ballot_for(self.context, seat, result), CUSTODY)
        signed = sign_ballot(by, self.context, vote)
        return {"index": seat, "signedBallot": signed.pack().hex()}

    def forgery(self, everywhere: bool) -> Lie:
        """Another root with ballots for it, in all answers, or in all but the transactions."""
        changes = {RESULT.root.hex(): FORGED.root.hex()} | {
            ballot_for(self.context, seat, RESULT).hex(): ballot_for(
                self.context, seat, FORGED
            ).hex()
            for seat in range(3)
        }

        def lie(request: Answer, answer: Answer) -> Answer:
            if not everywhere and "TransactionByHash" in request["method"]:
                return answer
            text = json.dumps(answer)
            for true, false in changes.items():
                text = text.replace(true, false)
            changed: Answer = json.loads(text)
            return changed

        return lie


@pytest.fixture
async def attacked(devnet: Devnet, tmp_path: Path) -> AsyncIterator[Attacked]:
    async with chain_world(devnet) as world:
        number = await world.final_round()
        out = tmp_path / "honest.json"
        chain = ChainTarget(devnet.url, world.settings.contract)
        await asyncio.to_thread(certify_round, chain, number, out)
        yield Attacked(world, number, json.loads(out.read_bytes()), tmp_path)


# --- the node ------------------------------------------------------------------------------------


async def test_without_a_certificate_a_history_that_fits_is_believed(attacked: Attacked) -> None:
    async with lying_node(attacked.world.devnet.url, attacked.forgery(everywhere=True)) as liar:
        chain = attacked.target(liar.url)
        audit = await asyncio.to_thread(audit_round, chain, attacked.number)
        final = await asyncio.to_thread(final_round, chain, attacked.number)
    assert audit.differences == ()
    assert [member.standing for member in audit.members] == ["matched", "abstained", "matched"]
    assert (final.root, final.partitions) == (FORGED.root, FORGED.partitions)


@pytest.mark.parametrize(
    ("everywhere", "error", "message"),
    [
        (True, TransportError, "another transaction than requested"),
        (False, CertificateFault, "0 members signed for the root, the quorum is 2"),
    ],
)
async def test_the_node_cannot_make_a_certificate_of_its_root(
    attacked: Attacked, everywhere: bool, error: type[OepError], message: str
) -> None:
    out = attacked.folder / "forged.json"
    async with lying_node(attacked.world.devnet.url, attacked.forgery(everywhere)) as liar:
        with pytest.raises(error, match=message):
            await asyncio.to_thread(certify_round, attacked.target(liar.url), attacked.number, out)
    assert not out.exists()


async def test_a_certificate_shows_the_true_root_and_so_the_lie(attacked: Attacked) -> None:
    final = attacked.offline(attacked.honest).final(attacked.number)
    assert (final.root, final.partitions) == (RESULT.root, RESULT.partitions)
    async with lying_node(attacked.world.devnet.url, attacked.forgery(everywhere=True)) as liar:
        shown = await asyncio.to_thread(final_round, attacked.target(liar.url), attacked.number)
    assert shown.root != final.root


# --- forged certificates -------------------------------------------------------------------------


def other_root(value: dict[str, Any]) -> None:
    value["root"] = FORGED.root.hex()


def one_ballot_twice(value: dict[str, Any]) -> None:
    value["ballots"] = value["ballots"][:1] * 2


def copied_to_another_member(value: dict[str, Any]) -> None:
    value["ballots"] = [value["ballots"][0], value["ballots"][0] | {"index": 1}]


def one_member_alone(value: dict[str, Any]) -> None:
    value["ballots"] = value["ballots"][:1]


def smaller_quorum(value: dict[str, Any]) -> None:
    one_member_alone(value)
    value["quorum"] = 1


def fewer_members(value: dict[str, Any]) -> None:
    one_member_alone(value)
    value["members"], value["quorum"] = value["members"][:1], 1


def other_round(value: dict[str, Any]) -> None:
    value["round"] += 1


def other_contract(value: dict[str, Any]) -> None:
    value["contract"] = "0x" + "11" * 20


def other_chain(value: dict[str, Any]) -> None:
    value["chainId"] = 1


FORGERIES: dict[Forge, str] = {
    other_root: "ballot.other_result",
    one_ballot_twice: "certificate.duplicate",
    copied_to_another_member: "ballot.other_result",
    one_member_alone: "certificate.quorum",
    smaller_quorum: "certificate.majority",
    fewer_members: "certificate.other_members",
    other_round: "ballot.other_round",
    other_contract: "certificate.other_contract",
    other_chain: "certificate.other_chain",
}


@pytest.mark.parametrize(
    ("forge", "code"), FORGERIES.items(), ids=[forge.__name__ for forge in FORGERIES]
)
async def test_a_changed_certificate_is_rejected_by_name(
    attacked: Attacked, forge: Forge, code: str
) -> None:
    value = attacked.honest | {}
    forge(value)
    with pytest.raises(CertificateFault) as fault:
        verify_certificate(attacked.file(value), attacked.known)
    assert fault.value.code == code
    verify_certificate(attacked.file(attacked.honest), attacked.known)


def by_strangers(attacked: Attacked) -> dict[str, Any]:
    """A certificate of the forged root that three strangers signed as if they were members."""
    return attacked.honest | {
        "root": FORGED.root.hex(),
        "members": [
            member | {"signer": STRANGERS[seat].address.lower()}
            for seat, member in enumerate(attacked.honest["members"])
        ],
        "ballots": [attacked.signed(seat, FORGED, STRANGERS[seat]) for seat in range(3)],
    }


async def test_signatures_of_strangers_are_no_quorum(attacked: Attacked) -> None:
    value = by_strangers(attacked)
    with pytest.raises(CertificateFault, match=r"certificate\.other_members"):
        verify_certificate(attacked.file(value), attacked.known)
    value["members"] = attacked.honest["members"]
    with pytest.raises(CertificateFault, match=r"ballot\.signer"):
        verify_certificate(attacked.file(value), attacked.known)


async def test_without_a_list_of_ones_own_strangers_are_a_quorum(attacked: Attacked) -> None:
    """The list is the file's here, as it would be if the file were believed."""
    value = by_strangers(attacked)
    of_the_file = [f"{m['index']}:{m['operator']}={m['signer']}" for m in value["members"]]
    known = replace(attacked.known, operators=of_the_file)
    assert verify_certificate(attacked.file(value), known).root == "0x" + FORGED.root.hex()


async def test_without_the_check_of_each_ballot_the_forged_root_is_proven(
    attacked: Attacked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificate, "check_evidence", lambda *_: None)
    value = attacked.honest | {"root": FORGED.root.hex()}
    assert attacked.offline(value).final(attacked.number).root == FORGED.root


async def test_a_retired_signer_does_not_sign_for_its_operator(attacked: Attacked) -> None:
    """Its key was stolen after it was rotated away; the reader's list is of the later epoch."""
    retired = account(20)
    rotated = [f"{account(10).address}={account(43).address}", *OPERATORS[1:]]
    known = replace(attacked.known, operators=rotated)
    value = attacked.honest | {"root": FORGED.root.hex()}
    value["members"] = [m | {} for m in attacked.honest["members"]]
    value["members"][0]["signer"] = account(43).address.lower()
    value["ballots"] = [
        attacked.signed(0, FORGED, retired),
        attacked.signed(1, FORGED, account(21)),
    ]
    with pytest.raises(CertificateFault, match=r"ballot\.signer: .*ballot of member 0"):
        verify_certificate(attacked.file(value), known)


async def test_ballots_of_an_earlier_round_are_no_quorum(attacked: Attacked) -> None:
    later = await attacked.world.final_round()
    value = attacked.honest | {"round": later}
    with pytest.raises(CertificateFault, match=r"ballot\.other_round"):
        verify_certificate(attacked.file(value), attacked.known, later)
    with pytest.raises(CertificateFault, match=r"certificate\.other_round"):
        verify_certificate(attacked.file(attacked.honest), attacked.known, later)
