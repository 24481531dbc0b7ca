"""Options and commands that settle an error of the client."""

from __future__ import annotations

import pytest

from oepnode.cli.common.exits import report
from oepnode.cli.common.hints import EDGE_HINTS
from oepnode.client.edge.boffers.load import NoBofferError
from oepnode.domain.edge.telemetry.duid import SeveralDuidsError
from oepnode.errors import Finding, OepError


def test_each_hint_names_an_option_or_a_command() -> None:
    for kind, hint in EDGE_HINTS.items():
        assert issubclass(kind, OepError)
        assert "--" in hint or "'" in hint, kind


def test_a_hint_follows_the_message_or_the_faults(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(NoBofferError("b.json has no Boffer")) == 2
    expected = "oepnode: b.json has no Boffer (change --duid, --nmi, --level or --date)\n"
    assert capsys.readouterr().err == expected
    finding = Finding("$.duid", "duid.mixed", "choose one", "U1, U2")
    assert report(SeveralDuidsError("d.json: targets", [finding])) == 1
    assert capsys.readouterr().err.splitlines()[-1] == "  (choose one with --duid)"
