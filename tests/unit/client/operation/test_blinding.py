"""A registry's snapshot and a sender's document, blinded as their commands do it."""

from __future__ import annotations

import json
import stat
from hashlib import sha256
from pathlib import Path

import pytest

from oepnode.adapters.crypto import sealing
from oepnode.adapters.crypto.blinding_key import read_blinding_key
from oepnode.client.operation.blinding import (
    BlindedSnapshot,
    NotOfNmisError,
    blind_document,
    blind_snapshot,
)
from oepnode.client.operation.snapshots import publish_snapshot
from oepnode.domain.nem.tokens import SiteIdKind, token_of
from oepnode.domain.rounds import token_list
from oepnode.domain.rounds.inputs.envelope_document import parse_document
from oepnode.domain.rounds.inputs.registry_snapshot import parse_snapshot
from oepnode.domain.rounds.recipient_keys import KeyKind, kind_of
from oepnode.errors import ConfigError, DocumentFault
from tests.support.blind_world import BLIND_ENVELOPE, BLIND_REGISTRY, KEY, NMIS
from tests.support.round_world import ENVELOPE, HELD, IDS, MOVING, PRIVATE, PUBLIC, REGISTRY, SALT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "registry.json").write_bytes(REGISTRY)
    (tmp_path / "envelope.json").write_bytes(ENVELOPE)
    for name, content in (("salt", SALT), ("key", KEY)):
        (tmp_path / name).write_text(content.hex())
        (tmp_path / name).chmod(0o600)
    return tmp_path


def blind(folder: Path) -> BlindedSnapshot:
    return blind_snapshot(folder / "registry.json", folder / "out", key=folder / "key")


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


# --- snapshots -----------------------------------------------------------------------------------


def test_a_snapshot_and_its_lists(folder: Path) -> None:
    blinded = blind(folder)
    assert Path(blinded.file).read_bytes() == BLIND_REGISTRY
    assert (blinded.digest, blinded.nmis) == (sha256(BLIND_REGISTRY).hexdigest(), len(NMIS))
    assert [one.aggregator for one in blinded.token_lists] == list(IDS)
    digest = bytes.fromhex(blinded.digest)
    sizes: dict[KeyKind, set[int]] = {}
    for one in blinded.token_lists:
        sealed = Path(one.file).read_bytes()
        sizes.setdefault(kind_of(PUBLIC[one.aggregator]), set()).add(len(sealed))
        info = token_list.sealing_info(digest)
        padded = sealing.open_whole(PRIVATE[one.aggregator], sealed, info)
        tokens = token_list.read(token_list.unpad(padded))
        also = {MOVING} if one.aggregator in {"A1", "A2"} else set()
        assert set(tokens.tokens) == {*HELD[one.aggregator], *also}
        assert all(token == token_of(KEY, nmi) for nmi, token in tokens.tokens.items())
    assert all(len(each) == 1 for each in sizes.values())  # the length does not give away the count


def test_a_new_key_begins_a_series(folder: Path) -> None:
    key = folder / "new" / "key"
    first = blind_snapshot(folder / "registry.json", folder / "1", new_key=key)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    secret = read_blinding_key(key)
    assert secret.hex() not in repr(first)
    assert parse_snapshot(Path(first.file).read_bytes()).site_id_kind is SiteIdKind.TOKEN
    again = blind_snapshot(folder / "registry.json", folder / "2", key=key)
    assert again.digest == first.digest
    other = blind_snapshot(folder / "registry.json", folder / "3", new_key=folder / "key3")
    assert other.digest != first.digest


def test_a_snapshot_without_a_nonce_gets_one(folder: Path) -> None:
    """Publishing must not add one afterwards: the lists name the digest of the blinded snapshot."""
    tree = json.loads(REGISTRY)
    del tree["nonce"]
    (folder / "registry.json").write_text(json.dumps(tree))
    blinded = blind(folder)
    nonce = json.loads(Path(blinded.file).read_bytes())["nonce"]
    assert len(bytes.fromhex(nonce)) == 32
    tokens = folder / "out" / "tokens"
    for lists in (None, tokens):
        data = folder / f"data-{lists is None}"
        published = publish_snapshot(blinded.file, folder / "salt", data, token_lists=lists)
        assert published.digest == blinded.digest


def test_nothing_is_overwritten(folder: Path) -> None:
    before = files(folder)
    snapshot = folder / "registry.json"
    for keys in ({}, {"key": folder / "key", "new_key": folder / "k"}):
        with pytest.raises(ConfigError, match="name one blinding key"):
            blind_snapshot(snapshot, folder / "out", **keys)
    with pytest.raises(ConfigError, match="never overwritten"):
        blind_snapshot(snapshot, folder / "out", new_key=folder / "key")
    with pytest.raises(ConfigError, match="not an empty folder"):
        blind_snapshot(snapshot, folder, new_key=folder / "k")
    assert files(folder) == before


@pytest.mark.parametrize(
    "content", ["", "xyz", "00" * 32, "ff" * 32, "0a" * 31, "0x" + "0a" * 33, "0a0b" * 17]
)
def test_a_malformed_key_is_rejected_and_not_repeated(folder: Path, content: str) -> None:
    (folder / "key").write_text(content)
    for call in (
        lambda: blind(folder),
        lambda: blind_document(folder / "envelope.json", folder / "key", folder / "out"),
    ):
        with pytest.raises(ConfigError) as caught:
            call()
        assert not content or content not in str(caught.value)
    assert not (folder / "out").exists()


def test_a_key_that_everybody_may_read_is_rejected(folder: Path) -> None:
    (folder / "key").chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        blind(folder)


def test_a_snapshot_that_is_blinded_already(folder: Path) -> None:
    (folder / "registry.json").write_bytes(BLIND_REGISTRY)
    with pytest.raises(NotOfNmisError):
        blind(folder)
    (folder / "registry.json").write_bytes(REGISTRY.replace(b'"A1", "from"', b'"A9", "from"'))
    with pytest.raises(DocumentFault):
        blind(folder)
    assert not (folder / "out").exists()


# --- publishing ----------------------------------------------------------------------------------


def test_a_registry_serves_the_lists(folder: Path) -> None:
    blinded = blind(folder)
    data = folder / "data"
    for _ in range(2):
        published = publish_snapshot(
            blinded.file, folder / "salt", data, token_lists=folder / "out" / "tokens"
        )
        assert published.digest == blinded.digest
        names = {f"tokens/{blinded.digest}/{Path(o.file).name}" for o in blinded.token_lists}
        assert names <= files(data)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (data / "tokens").rglob("*")}
    assert modes == {0o600, 0o700}


def test_lists_of_another_snapshot_are_rejected(folder: Path) -> None:
    blinded = blind(folder)
    tokens = folder / "out" / "tokens"
    other = blind_snapshot(folder / "registry.json", folder / "2", new_key=folder / "key2")
    with pytest.raises(ConfigError, match="no token list of an aggregator of this snapshot"):
        publish_snapshot(
            blinded.file, folder / "salt", folder / "data", token_lists=folder / "2" / "tokens"
        )
    with pytest.raises(NotOfNmisError, match="not blinded"):
        publish_snapshot(
            folder / "registry.json", folder / "salt", folder / "data", token_lists=tokens
        )
    Path(blinded.token_lists[1].file).unlink()
    with pytest.raises(ConfigError, match="of aggregator A2 is missing"):
        publish_snapshot(blinded.file, folder / "salt", folder / "data", token_lists=tokens)
    with pytest.raises(ConfigError, match="folder not readable"):
        publish_snapshot(other.file, folder / "salt", folder / "data", token_lists=folder / "none")
    assert not (folder / "data").exists()


# --- documents -----------------------------------------------------------------------------------


def test_a_document_is_blinded(folder: Path) -> None:
    out = folder / "blinded.json"
    blinded = blind_document(folder / "envelope.json", folder / "key", out)
    assert out.read_bytes() == BLIND_ENVELOPE
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert (blinded.digest, blinded.size_bytes) == (
        sha256(BLIND_ENVELOPE).hexdigest(),
        len(BLIND_ENVELOPE),
    )
    assert parse_document(BLIND_ENVELOPE).site_id_kind is SiteIdKind.TOKEN


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (BLIND_ENVELOPE, NotOfNmisError),
        (b"[]", NotOfNmisError),
        (ENVELOPE[:-1] + b"," + BLIND_ENVELOPE[1:], DocumentFault),
        (BLIND_ENVELOPE[:-1] + b"," + ENVELOPE[1:], DocumentFault),
        (ENVELOPE.replace(b'"6305000001"', b"6305000001"), DocumentFault),
        (ENVELOPE.replace(b"Maximise service", b"for 6305000007"), DocumentFault),
    ],
)
def test_another_document_leaves_no_file(
    folder: Path, content: bytes, error: type[Exception]
) -> None:
    (folder / "envelope.json").write_bytes(content)
    before = files(folder)
    with pytest.raises(error) as caught:
        blind_document(folder / "envelope.json", folder / "key", folder / "blinded.json")
    assert "envelope.json" in str(caught.value)
    assert not any(nmi in str(caught.value) for nmi in NMIS)
    assert files(folder) == before


def test_files_that_cannot_be_used(folder: Path) -> None:
    with pytest.raises(ConfigError, match="not readable"):
        blind_document(folder / "none", folder / "key", folder / "o")
    with pytest.raises(ConfigError, match="not writable"):
        blind_document(folder / "envelope.json", folder / "key", folder / "no" / "o")
