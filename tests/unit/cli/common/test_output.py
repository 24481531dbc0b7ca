"""What commands print for people."""

from __future__ import annotations

import pytest

from oepnode.cli.common.output import print_facts


def test_facts_are_words_and_not_values_of_python(capsys: pytest.CaptureFixture[str]) -> None:
    print_facts(
        {
            "verified": True,
            "paused": False,
            "round": None,
            "readers": ("0x1", "0x2"),
            "former": (),
            "sites": {"sample-01": 14, "sample-02": 7},
            "count": 0,
        }
    )
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert [line[-1].rstrip() for line in lines] == [
        "yes",
        "no",
        "–",
        "0x1, 0x2",
        "–",
        "sample-01 14, sample-02 7",
        "0",
    ]
