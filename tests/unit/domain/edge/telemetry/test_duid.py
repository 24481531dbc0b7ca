"""HLD §4.2.1: a unit is judged by rows of its own DUID."""

from __future__ import annotations

import polars as pl
import pytest

from oepnode.domain.edge.telemetry.duid import check_same, only
from oepnode.errors import DocumentFault


def rows(*duids: str) -> pl.DataFrame:
    return pl.DataFrame({"duid": pl.Series(duids, dtype=pl.Categorical()), "x": range(len(duids))})


def test_hld_4_2_1_rows_of_one_duid_are_its_own() -> None:
    selected, duid = only(rows("U1", "U1"), None, "targets")
    assert (selected["x"].to_list(), duid) == ([0, 1], "U1")
    assert only(rows("U1"), "U1", "targets")[1] == "U1"


def test_hld_4_2_1_of_several_duids_the_named_one_is_selected() -> None:
    selected, duid = only(rows("U1", "U2", "U1"), "U1", "targets")
    assert (selected["x"].to_list(), duid) == ([0, 2], "U1")


@pytest.mark.parametrize(
    ("duids", "wanted", "code", "selected"),
    [
        (("U2", "U1"), None, "duid.mixed", "U1, U2"),
        (("U2", "U1"), "U3", "duid.absent", "U1, U2"),
        (tuple("ABCDEFG"), None, "duid.mixed", "A, B, C, D, E and 2 more"),
        (("U1", "6305888444"), None, "duid.mixed", "'[withheld]', U1"),
    ],
)
def test_hld_4_2_1_other_rows_are_rejected_and_named(
    duids: tuple[str, ...], wanted: str | None, code: str, selected: str
) -> None:
    with pytest.raises(DocumentFault) as caught:
        only(rows(*duids), wanted, "targets")
    (fault,) = caught.value.faults
    assert (fault.path, fault.code, fault.value) == ("$.duid", code, selected)
    assert "HLD §4.2.1" in fault.message


def test_part_c_1_1_a_target_of_another_unit_is_not_used() -> None:
    check_same("targets", "U1", "U1", "telemetry")
    with pytest.raises(DocumentFault) as caught:
        check_same("targets", "U1", "U2", "telemetry")
    (fault,) = caught.value.faults
    assert (fault.code, fault.value) == ("duid.mismatch", "U1")
    assert "telemetry is of U2 (HLD §4.2.1, Part C §1.1" in fault.message
