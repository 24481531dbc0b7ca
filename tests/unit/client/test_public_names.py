"""Names of ``oepnode.client``: the types that its functions take and return are public."""

from __future__ import annotations

import inspect
import re

from oepnode import client

TYPE = re.compile(r"\b[A-Z]\w+")
VARIABLES = {"Verified"}
FOREIGN = {"AbstractSet", "Any", "DataFrame", "Iterable", "Mapping", "None", "Sequence"}
UNNAMED = {
    "Against",
    "BlockSink",
    "BofferDay",
    "Boffers",
    "FileName",
    "Form",
    "Packing",
    "Progress",
}
"""Types of the package that a caller has no need to name."""


def test_types_of_arguments_and_results_are_public() -> None:
    functions = [getattr(client, name) for name in client.__all__ if name[0].islower()]
    named = {
        name
        for function in functions
        for annotation in inspect.get_annotations(function).values()
        for name in TYPE.findall(str(annotation))
    }
    assert named - set(client.__all__) <= FOREIGN | UNNAMED | VARIABLES
