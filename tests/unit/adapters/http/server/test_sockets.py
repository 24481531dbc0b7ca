"""Whether a system may keep silent connections."""

from pathlib import Path

import pytest

from oepnode.adapters.http.server.sockets import answers_when_full


@pytest.mark.parametrize(("text", "answers"), [("1\n", True), ("2\n", True), ("0\n", False)])
def test_cookies_decide_whether_a_full_queue_answers(
    tmp_path: Path, text: str, answers: bool
) -> None:
    setting = tmp_path / "tcp_syncookies"
    setting.write_text(text)
    assert answers_when_full(setting) is answers


def test_a_system_without_the_setting_is_not_trusted_with_it(tmp_path: Path) -> None:
    assert not answers_when_full(tmp_path / "absent")
