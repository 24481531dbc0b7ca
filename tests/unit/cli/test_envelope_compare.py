"""``oepnode envelope compare``: limits compared, and limits that are only counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from tests.support.telemetry_columns import A, record

Run = Callable[..., Result]


def write(path: Path, *records: dict[str, object]) -> str:
    path.write_text(json.dumps(records))
    return str(path)


def test_intervals_of_one_side_only_are_counted_and_have_no_difference(
    run: Run, tmp_path: Path
) -> None:
    """PRE has intervals 0 to 2, POST 0, 1 and 3; in the first of them they are equal."""
    pre = write(tmp_path / "pre.json", record(A, [(5, -5)] * 3))
    post = write(
        tmp_path / "post.json",
        record(A, [(5, -5), (6, -5)], timing="POST"),
        record(A, [(6, -6)], first=3, timing="POST"),
    )
    answer = json.loads(run("envelope", "compare", pre, post, "--json").stdout)
    assert answer["sites"][0]["difference_w"] == [[0, 1000, None], [0, 0, None]]
    for facts in (answer["total"], answer["sites"][0]):
        assert (facts["intervals_only_in_pre"], facts["intervals_only_in_post"]) == (1, 1)
    done = run("envelope", "compare", pre, post)
    note = "not compared: intervals of sites with a limit in PRE only (1) and in POST only (1)"
    assert note in " ".join(done.stderr.split())
    assert "not compared" not in run("envelope", "compare", pre, pre_as_post(tmp_path)).output


def pre_as_post(folder: Path) -> str:
    return write(folder / "same.json", record(A, [(6, -5)] * 3, timing="POST"))


def test_the_feed_of_both_documents_is_an_option(run: Run, tmp_path: Path) -> None:
    pre = write(tmp_path / "pre.json", record(A, [(5, 5)]))
    post = write(tmp_path / "post.json", record(A, [(5, 6)], timing="POST"))
    assert run("envelope", "compare", pre, post).exit_code == 1
    words = ("envelope", "compare", pre, post, "--import-sign", "magnitude")
    answer = json.loads(run(*words, "--json").stdout)
    assert answer["sites"][0]["difference_w"] == [[0], [1000]]
    assert run(*words, "--profile", "odd").exit_code == 2


@pytest.mark.parametrize(("profile", "code"), [("wide", 0), ("edge", 1)])
def test_the_profile_is_checked(run: Run, tmp_path: Path, profile: str, code: int) -> None:
    pre = write(tmp_path / "pre.json", record(A, [(150, -5)]))
    post = write(tmp_path / "post.json", record(A, [(150, -6)], timing="POST"))
    assert run("envelope", "compare", pre, post, "--profile", profile).exit_code == code
