"""Choice of the Boffer that counts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from oepnode.client.edge.boffers.clearing import clear_boffers
from oepnode.client.edge.boffers.load import NoBofferError
from oepnode.client.edge.boffers.selection import BofferChoice
from oepnode.domain.nem.nmi import checksum
from oepnode.errors import ConfigError
from tests.support.loaded_boffers import DAY, NEXT, SITE, loaded, site, unit


def test_a_choice_names_unit_level_and_date() -> None:
    boffers = loaded(unit(), unit("UNIT2"), unit(on=NEXT), site([1]))
    assert len(clear_boffers(boffers, 0).offers) == 4
    for choice, count in (
        (BofferChoice(duid="UNIT1"), 2),
        (BofferChoice(duid="UNIT1", date=NEXT), 1),
        (BofferChoice(nmi=SITE), 1),
        (BofferChoice(nmi=f"{SITE}{checksum(SITE)}"), 1),
        (BofferChoice(duid="UNIT2", nmi=SITE), 2),
        (BofferChoice(level="NMI"), 4),
    ):
        assert len(clear_boffers(boffers, 0, choice=choice).offers) == count
    for choice in (BofferChoice(duid=SITE), BofferChoice(level="Flex")):
        with pytest.raises(NoBofferError, match="unit and level"):
            clear_boffers(boffers, 0, choice=choice)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"nmi": "xyz"}, "nmi: an NMI must have 10 characters, received 3"),
        ({"level": "flex"}, "level must be NMI or Flex, received 'flex'"),
    ],
)
def test_a_choice_of_nothing_that_exists_is_rejected(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        BofferChoice(**wrong)


def test_the_last_boffer_counts_and_rolls_one_day_forward() -> None:
    boffers = loaded(site([1], -1), site([1]))
    cleared = clear_boffers(boffers, 0, choice=BofferChoice(date=NEXT))
    (offer,) = cleared.offers
    assert (offer.trading_date, offer.rolled_forward_from) == (NEXT, DAY)
    assert offer.periods["cleared_w"].to_list() == [-2000]
    assert cleared.notes == ()
    with pytest.raises(NoBofferError, match="1 period of 2026-11-22 has no Boffer") as caught:
        clear_boffers(boffers, 0, choice=BofferChoice(date=NEXT + timedelta(days=1)))
    assert SITE not in str(caught.value), "a message may be logged"
    with pytest.raises(NoBofferError, match=r"UNIT1 \(NMI\): 288 periods of 2026-11-22 have no"):
        clear_boffers(loaded(unit()), 0, choice=BofferChoice(date=NEXT + timedelta(days=1)))
