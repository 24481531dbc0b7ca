"""docs/edge-guide.md: its commands work, print what it shows, and draw the pictures in it.

matplotlib is among the locked requirements of development: without it these tests fail, so that
they cannot be passed over.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from typer.testing import CliRunner

from oepnode.cli.main import app
from tests.support.demo import run_demo

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "edge-guide.md"
_BLOCKS = re.compile(r"```sh\n(.*?)```\n(?:```text\n(.*?)```)?", re.DOTALL)
_FENCES = re.compile(r"^```(.*)$", re.MULTILINE)
_EXIT = re.compile(r"#\s*exit code (\d+)")
_DRAWN = re.compile(r"--(?:plot|heatmap) (\S+)")
_SHOWN = re.compile(r"!\[[^\]]+\]\(pictures/edge-([^)]+)\)")

LOUD = 0.1
"""The smallest visible difference of a colour, of 1."""


def blocks() -> list[tuple[list[str], list[str]]]:
    """Commands of each block, and the lines that the guide shows of their output."""
    text = GUIDE.read_text("utf-8")
    return [(sh.splitlines(), shown.splitlines()) for sh, shown in _BLOCKS.findall(text)]


def squeezed(line: str) -> str:
    return " ".join(line.split())


def run(command: str) -> str:
    """Run one line of the guide in the working directory; returns stdout."""
    expected = _EXIT.search(command)
    words = shlex.split(command, comments=True)
    assert words[0] == "oepnode"
    code = int(expected[1]) if expected else 0
    if words[1] == "demo":  # it starts processes of its own, so it gets one too
        done = run_demo(*words[2:])
        assert done.returncode == code, f"{done.stdout}\n{done.stderr}"
        return done.stdout
    result = CliRunner().invoke(app, words[1:])
    assert result.exit_code == code, f"{command}\n{result.output}"
    return result.stdout


def check_shown(shown: list[str], output: str) -> None:
    """Check that the expected lines occur in the output in order, with others only at a …."""
    lines = [squeezed(line) for line in output.splitlines()]
    position, may_skip = 0, False
    for line in (squeezed(line) for line in shown):
        if line == "…":
            may_skip = True
            continue
        if may_skip:
            assert line in lines[position:], f"not in the output: {line}\n{output}"
            position = lines.index(line, position)
        assert lines[position : position + 1] == [line], output
        position, may_skip = position + 1, False
    assert may_skip or position == len(lines) or not shown, output


def test_the_guide_has_commands_of_every_kind() -> None:
    words = {tuple(line.split()[1:3]) for lines, _ in blocks() for line in lines}
    assert {
        ("aggregator", "verify"),
        ("envelope", "show"),
        ("envelope", "compare"),
        ("boffer", "validate"),
        ("boffer", "constrain"),
        ("boffer", "clear"),
        ("telemetry", "validate"),
        ("telemetry", "conformance"),
        ("forecast", "validate"),
        ("forecast", "accuracy"),
    } <= words


def test_every_block_of_the_guide_is_a_command_or_its_output() -> None:
    """A block that `blocks` does not see would be shown, and not run."""
    fences = _FENCES.findall(GUIDE.read_text("utf-8"))
    assert set(fences) == {"sh", "text", ""}
    assert fences.count("sh") == len(blocks())
    assert fences.count("text") == sum(bool(shown) for _, shown in blocks())
    assert all(line.startswith("oepnode ") for lines, _ in blocks() for line in lines)


def test_the_guide_shows_each_picture_that_its_commands_draw() -> None:
    drawn = [name for lines, _ in blocks() for line in lines for name in _DRAWN.findall(line)]
    assert drawn == ["curve.png", "band.png", "headroom.png"]
    assert _SHOWN.findall(GUIDE.read_text("utf-8")) == drawn


def test_the_guides_commands_print_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for lines, shown in blocks():
        check_shown(shown, "".join(run(line) for line in lines))
    for name in _SHOWN.findall(GUIDE.read_text("utf-8")):
        check_picture(tmp_path / name, GUIDE.parent / "pictures" / f"edge-{name}")


def check_picture(made: Path, committed: Path) -> None:
    """The picture in the guide is the one that the command has drawn, but for a stray pixel."""
    actual, reference = matplotlib.image.imread(made), matplotlib.image.imread(committed)
    assert actual.shape == reference.shape, committed.name
    is_other = (np.abs(actual - reference) > LOUD).any(axis=2)
    assert is_other.mean() < 0.0005, f"{committed.name} is not what the guide's command draws"


def test_another_picture_would_be_noticed(tmp_path: Path) -> None:
    """A title alone that changes is more than what `check_picture` lets through."""
    committed = GUIDE.parent / "pictures" / "edge-curve.png"
    pixels = matplotlib.image.imread(committed).copy()
    check_picture(committed, committed)
    pixels[:40, :40] = 0
    matplotlib.image.imsave(tmp_path / "curve.png", pixels)
    with pytest.raises(AssertionError, match="is not what"):
        check_picture(tmp_path / "curve.png", committed)
