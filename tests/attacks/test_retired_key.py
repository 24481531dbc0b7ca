"""A signing key that was rotated away leaks long afterwards, and is used to accuse its operator.

Who: whoever gets hold of a former signer's key, from an old backup or a sold disk. The operator has
rotated it away, and it votes in no new round.

Before: the key is a signer of the rounds of its time for ever. With it anybody signs a second
ballot for a round of last year, adds it to a first one, and `reportEquivocation` puts the
operator on record as having signed two ballots.

Now: the contract takes evidence until ``EVIDENCE_TIME``, 30 days after the reveal deadline of the
round (`contracts/src/OepConsensus.sol`, ``reportEquivocation``; guarantee 12). An operator keeps a
retired key safe for that long, and destroys it then.

What remains: a key that leaks within the 30 days accuses its operator, as a key in use does. Real
evidence must be reported in that time.

The mend can be left out: in the last second in which evidence is taken the same call succeeds.
"""

from __future__ import annotations

from oepnode.domain.rounds.onchain import Policy
from tests.contract_model.lockstep import RESULTS, Lockstep
from tests.support.anvil import Anvil

DAY_S = 86_400
EVIDENCE_S = 30 * DAY_S


def accused_after(anvil: Anvil, seconds: int) -> tuple[str | None, int]:
    """Accuse the operator of a retired key so long after a round's reveal deadline.

    Returns:
        The contract's error, or None, and the bitmap of the members on record.
    """
    world = Lockstep(anvil, Policy(2, 3, 60, 60, 1))
    world.enrol(3)
    number = world.open()
    retired = world.people.signers[0]
    assert world.cast(number, retired) is None
    assert world.do("rotateSigner", world.people.operators[0], world.people.signers[9]) is None
    world.wait_until(world.state.rounds[number - 1].reveal_deadline + seconds)
    forged = [
        world.signed(retired, world.ballot(number, retired, result), number)
        for result in RESULTS[:2]
    ]
    error = world.report(number, forged)
    record = world.chain.read("record", number)
    return error, record[-1]


def test_a_key_that_leaks_after_a_year_accuses_nobody(anvil: Anvil) -> None:
    assert accused_after(anvil, 365 * DAY_S) == ("EvidenceClosed", 0)


def test_the_time_for_evidence_ends_to_the_second(anvil: Anvil) -> None:
    assert accused_after(anvil, EVIDENCE_S) == ("EvidenceClosed", 0)


def test_without_the_end_of_evidence_the_operator_is_on_record(anvil: Anvil) -> None:
    assert accused_after(anvil, EVIDENCE_S - 1) == (None, 0b001)
