"""Documents checked in child processes: verdicts cross, and a child that fails costs nothing."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from oepnode.adapters.computing.check_messages import CheckJob
from oepnode.adapters.computing.checker import CheckerSettings, DocumentChecker
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.inputs.document_summary import decode_summary
from oepnode.domain.rounds.inputs.plausibility.policy import Policy
from oepnode.errors import ComputationFault, DocumentFault, EvidenceError
from tests.support.envelope_documents import START_S
from tests.support.sites import even

LIMITS = CheckerSettings(memory_limit_mb=1024, timeout_s=60)


def job(folder: Path, data: bytes, **changes: Any) -> CheckJob:
    document = folder / "document"
    document.write_bytes(data)
    values: dict[str, Any] = {
        "document": str(document),
        "message_id": "sha256-0",
        "feed": Feed(),
        "policy": Policy(),
        "opened_at": START_S,
        "summary": str(folder / "summary"),
    }
    return CheckJob(**values | changes)


async def test_a_verdict_and_a_summary_come_back(tmp_path: Path) -> None:
    checked = await DocumentChecker(LIMITS).check(job(tmp_path, even([1, 2])))
    assert checked.accepted
    assert checked.transaction.message_id == "sha256-0"
    assert (checked.horizon_start, checked.interval_count) == (START_S, 6)
    assert checked.facts is not None
    assert checked.facts.sites == 2
    summary = tmp_path / "summary"
    assert stat.S_IMODE(summary.stat().st_mode) == 0o600
    assert decode_summary(summary.read_bytes()).opened_at == START_S
    again = job(
        tmp_path,
        even([2, 3], export_kw=9),
        previous_summary=str(summary),
        previous_document=str(tmp_path / "document"),
    )
    previous = (await DocumentChecker(LIMITS).check(again)).facts
    assert previous is not None
    assert previous.previous is not None
    assert previous.previous.vanished_sites == 1


async def test_a_faulty_document_leaves_no_summary(tmp_path: Path) -> None:
    checked = await DocumentChecker(LIMITS).check(job(tmp_path, b"[]"))
    assert not checked.accepted
    assert checked.system.counts == {"document.empty": 1}
    assert (checked.facts, checked.horizon_start, checked.interval_count) == (None, 0, 0)
    assert not (tmp_path / "summary").exists()


async def test_a_document_beyond_the_memory_is_a_fault_that_names_the_limit(tmp_path: Path) -> None:
    one = job(tmp_path, b"")
    with Path(one.document).open("wb") as file:
        file.truncate(2**31)
    with pytest.raises(ComputationFault, match=r"check\.memory_limit_mb"):
        await DocumentChecker(LIMITS).check(one)


async def test_a_check_has_a_deadline(tmp_path: Path) -> None:
    slow = CheckerSettings(memory_limit_mb=1024, timeout_s=0.01)
    with pytest.raises(ComputationFault, match=r"check\.timeout_s"):
        await DocumentChecker(slow).check(job(tmp_path, even([1])))


async def test_what_it_is_compared_with_may_be_wrong(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_bytes(b"{}")
    checker = DocumentChecker(LIMITS)
    with pytest.raises(EvidenceError, match="damaged"):
        await checker.check(job(tmp_path, even([1]), previous_summary=str(wrong)))
    with pytest.raises(DocumentFault, match="registry snapshot"):
        await checker.check(job(tmp_path, even([1]), registry=str(wrong)))
    with pytest.raises(ComputationFault, match="FileNotFoundError"):
        await checker.check(job(tmp_path, even([1]), registry=str(tmp_path / "none")))
