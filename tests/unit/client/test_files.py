"""Files that a user named: their names in messages."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from oepnode.client.edge.boffers.load import RulesRejectedError, load_boffers
from oepnode.client.edge.envelopes import load_envelopes
from oepnode.client.edge.submissions import load_telemetry
from oepnode.client.edge.tables import load_portfolio
from oepnode.client.files import name_file
from oepnode.errors import ConfigError, DocumentFault, Finding


@pytest.mark.parametrize("load", [load_envelopes, load_portfolio, load_boffers, load_telemetry])
def test_a_name_that_no_file_can_have_is_wrong_usage(load: Callable[[str], object]) -> None:
    with pytest.raises(ConfigError, match="not readable: embedded null"):
        load("a\0b")


FAULT = DocumentFault("Boffer", [Finding("$.a", "r", "m")], 2)


@pytest.mark.parametrize("fault", [FAULT, RulesRejectedError(FAULT, "a.zip", "rejected")])
def test_a_rejection_gets_the_name_of_its_file_and_stays_as_it_is(fault: DocumentFault) -> None:
    message = f"^b.json: {fault.what} rejected: 3 faults"
    with pytest.raises(type(fault), match=message) as caught, name_file("b.json"):
        raise fault
    assert (caught.value.faults, caught.value.more) == (fault.faults, 2)
