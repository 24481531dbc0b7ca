"""Files that a user named: their names in messages."""

from __future__ import annotations

import pytest

from oepnode.client.edge.boffers.load import RulesRejectedError
from oepnode.client.files import name_file
from oepnode.errors import DocumentFault, Finding

FAULT = DocumentFault("Boffer", [Finding("$.a", "r", "m")], 2)


@pytest.mark.parametrize("fault", [FAULT, RulesRejectedError(FAULT, "a.zip", "rejected")])
def test_a_rejection_gets_the_name_of_its_file_and_stays_as_it_is(fault: DocumentFault) -> None:
    message = f"^b.json: {fault.what} rejected: 3 faults"
    with pytest.raises(type(fault), match=message) as caught, name_file("b.json"):
        raise fault
    assert (caught.value.faults, caught.value.more) == (fault.faults, 2)
