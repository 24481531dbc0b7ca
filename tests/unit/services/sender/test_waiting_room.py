"""Documents on their way in: their bytes are bounded and counted once."""

from __future__ import annotations

import shutil
from collections import namedtuple
from hashlib import sha256
from pathlib import Path

import pytest

from oepnode.services.common.http import Rejection
from oepnode.services.sender.summaries import Summaries
from oepnode.services.sender.waiting_room import Space, WaitingRoom

Usage = namedtuple("Usage", "total used free")


def reason(space: Space, name: str, size: int) -> tuple[int, str]:
    with pytest.raises(Rejection) as rejected:
        space.take(name, size)
    return rejected.value.status, rejected.value.code


def test_bytes_are_taken_grow_move_and_come_back(tmp_path: Path) -> None:
    space = Space(tmp_path, 100)
    space.take("a", 60)
    assert reason(space, "b", 41) == (503, "uploads.full")
    space.take("b", 40)
    space.take("b", 40)  # in all, not once more
    assert reason(space, "b", 41) == (503, "uploads.full")
    assert reason(space, "c", 101) == (507, "uploads.too_large")
    space.hand_over("a", "d")
    space.hand_over("b", "d")  # the same document: one of both is deleted
    space.take("e", 40)
    space.release("d")
    space.release("unknown")
    space.take("f", 60)
    space.count("g", 1000)  # what is there already is counted, and rejects what comes
    assert reason(space, "h", 1) == (503, "uploads.full")


def test_the_disk_keeps_some_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    space = Space(tmp_path, 2**40)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(2**40, 2**39, 70 * 2**20))
    assert reason(space, "a", 7 * 2**20) == (503, "uploads.full")
    space.take("a", 5 * 2**20)


def test_only_documents_of_messages_stay_at_the_start(tmp_path: Path) -> None:
    space = Space(tmp_path, 10)
    digests = [sha256(data).digest() for data in (b"1234", b"56")]
    room = WaitingRoom(tmp_path / "waiting", space)
    for data, digest in zip((b"1234", b"56"), digests, strict=True):
        incoming = room.incoming()
        incoming.write(data)
        incoming.finish()
        room.adopt(incoming.path, digest, incoming.path.name)
    room.incoming().write(b"half")
    again = WaitingRoom(tmp_path / "waiting", space)
    again.keep_only({digests[0]})
    assert [file.name for file in (tmp_path / "waiting").iterdir()] == [digests[0].hex()]
    assert reason(space, "a", 7) == (503, "uploads.full")
    again.remove(digests[0])
    again.remove(digests[1])
    space.take("a", 10)


def test_summaries_of_the_newest_documents_are_kept(tmp_path: Path) -> None:
    summaries = Summaries(tmp_path / "summaries")
    digests = [bytes([n]) * 32 for n in range(6)]
    for digest in digests:
        path = summaries.incoming()
        path.write_bytes(digest)
        summaries.keep(path, digest)
    assert [summaries.of(digest) is None for digest in digests] == [True, True] + [False] * 4
    summaries.incoming().write_bytes(b"half")
    again = Summaries(tmp_path / "summaries")
    assert len(list((tmp_path / "summaries").iterdir())) == 4
    kept = again.of(digests[-1])
    assert kept is not None
    assert kept.read_bytes() == digests[-1]
