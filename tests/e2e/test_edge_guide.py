"""docs/edge-guide.md: its commands work, and print what it shows."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from oepnode.cli.main import app

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "edge-guide.md"
_BLOCKS = re.compile(r"```sh\n(.*?)```\n(?:```text\n(.*?)```)?", re.DOTALL)
_EXIT = re.compile(r"#\s*exit code (\d+)")


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
        done = subprocess.run(
            [sys.executable, "-m", *words],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == code, f"{done.stdout}\n{done.stderr}"
        return done.stdout
    result = CliRunner().invoke(app, words[1:])
    assert result.exit_code == code, f"{command}\n{result.output}"
    return result.stdout


def check_shown(shown: list[str], output: str) -> None:
    """Shown lines stand in the output in their order, without others between but at a …."""
    said = [squeezed(line) for line in output.splitlines()]
    place, may_skip = 0, False
    for line in (squeezed(line) for line in shown):
        if line == "…":
            may_skip = True
            continue
        if may_skip:
            assert line in said[place:], f"not in the output: {line}\n{output}"
            place = said.index(line, place)
        assert said[place : place + 1] == [line], output
        place, may_skip = place + 1, False
    assert may_skip or place == len(said) or not shown, output


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


def test_the_guides_commands_print_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib", reason="the pictures need the extra plot")
    monkeypatch.chdir(tmp_path)
    for lines, shown in blocks():
        check_shown(shown, "".join(run(line) for line in lines))
    for name in ("curve", "band", "headroom"):
        picture = (tmp_path / f"{name}.png").read_bytes()
        assert picture.startswith(b"\x89PNG")
        assert len(picture) > 20_000


@pytest.mark.parametrize("name", ["curve", "band", "headroom"])
def test_the_guides_pictures_are_there(name: str) -> None:
    assert f"pictures/edge-{name}.png" in GUIDE.read_text("utf-8")
    assert (GUIDE.parent / "pictures" / f"edge-{name}.png").is_file()
