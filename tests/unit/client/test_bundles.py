from __future__ import annotations

from pathlib import Path

import pytest

from oepnode.adapters.crypto import pymerkle_check, sealing
from oepnode.client import (
    ChainTarget,
    KeyPair,
    RoundSelector,
    bundle_limits,
    check_bundle,
    to_json,
    verify_bundle,
)
from oepnode.domain.rounds.bundle import CHECKS as BUNDLE_CHECKS
from oepnode.domain.rounds.bundle import BundleError, sealing_info
from oepnode.domain.rounds.merkle import InclusionError
from tests.support.plain_bundle import pack_file
from tests.support.round_world import (
    CONTEXT,
    COUNT,
    HELD,
    MOVING,
    PRIVATE,
    PUBLIC,
    FakeReader,
    changed,
    sealed,
    verified,
)

OWN = {*HELD["A1"], MOVING}
JUNK = sealing.seal_whole(PUBLIC["A1"], b"junk", sealing_info(CONTEXT))
CHECKS = [*BUNDLE_CHECKS, "pymerkle"]


# --- verifying -----------------------------------------------------------------------------------


def test_a_bundle_verifies_and_gives_its_limits(folder: Path, selector: RoundSelector) -> None:
    bundle = verify_bundle(folder / "A1.oepb", folder / "A1.json", selector, OWN)
    assert (bundle.aggregator_id, bundle.site_count, bundle.nmi_count) == ("A1", 6, 5)
    assert bundle.entries == verified("A1").entries
    frame = bundle_limits(bundle)
    assert frame.height == 5 * COUNT + 3
    assert set(frame["nmi"]) == OWN


def test_names_of_files_and_keys_in_memory_serve_as_well(
    folder: Path, selector: RoundSelector
) -> None:
    pair = KeyPair("A2", PRIVATE["A2"])
    assert verify_bundle(str(folder / "A2.oepb"), pair, selector).aggregator_id == "A2"


def test_a_check_reports_all_that_was_checked(folder: Path, selector: RoundSelector) -> None:
    check = check_bundle(folder / "A1.oepb", folder / "A1.json", selector)
    assert list(check.checks) == CHECKS
    assert (check.failure, check.missing_nmis, check.notes) == (None, 0, ())
    report = to_json(check.report())
    assert (report["verified"], report["sites"], list(report["checks"])) == (True, 6, CHECKS)
    assert list(report)[:6] == ["verified", "round", "chain_id", "contract", "root", "aggregator"]


def test_a_portfolio_counts_what_is_missing(folder: Path, selector: RoundSelector) -> None:
    portfolio = {*OWN, "6305000099"}
    check = check_bundle(folder / "A1.oepb", folder / "A1.json", selector, portfolio)
    assert list(check.checks) == [*CHECKS, "portfolio"]
    assert check.missing_nmis == 1
    assert check.notes == ("1 NMIs of your list are not in the bundle",)


def test_a_foreign_nmi_fails_the_portfolio(folder: Path, selector: RoundSelector) -> None:
    check = check_bundle(folder / "A1.oepb", folder / "A1.json", selector, {MOVING})
    assert check.failure is not None
    assert (check.failure.check, check.bundle) == ("portfolio", None)
    assert "6305" not in str(check.failure)


@pytest.mark.parametrize(
    ("key", "data", "failed"),
    [
        ("A2", sealed("A1"), "opening"),
        ("A1", JUNK, "format"),
        ("A1", sealed("A1")[:-1], "opening"),
    ],
    ids=["another key", "no bundle", "cut short"],
)
def test_files_that_do_not_verify_give_no_bundle(
    folder: Path, selector: RoundSelector, key: str, data: bytes, failed: str
) -> None:
    (folder / "bad.oepb").write_bytes(pack_file(CONTEXT, data))
    check = check_bundle(folder / "bad.oepb", folder / f"{key}.json", selector)
    assert check.failure is not None
    assert (check.bundle, check.failure.check) == (None, failed)
    assert to_json(check.report())["failed"] == failed
    for call in (lambda: check.verified, lambda: verify_again(folder, key, selector)):
        with pytest.raises(BundleError, match=f"check {failed} failed"):
            call()


def verify_again(folder: Path, key: str, selector: RoundSelector) -> None:
    verify_bundle(folder / "bad.oepb", folder / f"{key}.json", selector)


def test_a_bundle_of_another_round_is_rejected_before_it_is_opened(
    folder: Path, reader: FakeReader, chain: ChainTarget
) -> None:
    reader.rounds[4] = changed(reader.rounds[3], number=4)
    selector = RoundSelector(chain, None, 4)
    check = check_bundle(folder / "A1.oepb", folder / "A1.json", selector)
    assert check.failure is not None
    assert check.failure.check == "context"
    assert "the bundle is of round 3" in str(check.failure)


def test_the_second_opinion_counts(
    folder: Path, selector: RoundSelector, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reject(*_: object) -> None:
        raise InclusionError("pymerkle rejects the path")

    monkeypatch.setattr(pymerkle_check, "verify_inclusion", reject)
    with pytest.raises(BundleError, match="check pymerkle failed"):
        verify_bundle(folder / "A1.oepb", folder / "A1.json", selector)


def test_no_repr_shows_an_nmi(folder: Path, selector: RoundSelector) -> None:
    check = check_bundle(folder / "A1.oepb", folder / "A1.json", selector)
    assert "6305" not in repr(check) + repr(check.verified)
