"""Ed25519 keys of a network: files, signatures, and that only the right key's count."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from oepnode.adapters.crypto.document_key import (
    create_key,
    load_key,
    sign_statement,
    verify_statement,
)
from oepnode.domain.rounds.inputs.document_signatures import SignatureFault, Statement
from oepnode.errors import ConfigError
from tests.support.signed_documents import OTHER, PUBLIC, statement

SIGNED = statement(b"a document", 5)
DIGEST = SIGNED.statement.digest


def test_a_key_is_written_once_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "key"
    public = create_key(file)
    assert file.stat().st_mode & 0o777 == 0o600
    signed = sign_statement(load_key(file), Statement("envelope", DIGEST, 1, 1))
    verify_statement(signed, "envelope", DIGEST, public)
    with pytest.raises(ConfigError, match="already exists"):
        create_key(file)


@pytest.mark.parametrize(
    "change", [{"publicKey": "00" * 32}, {"privateKey": "zz"}, {"privateKey": 1}, {"more": 1}]
)
def test_another_file_is_rejected_and_not_repeated(
    tmp_path: Path, change: dict[str, object]
) -> None:
    file = tmp_path / "key"
    create_key(file)
    value = json.loads(file.read_bytes())
    file.write_text(json.dumps(value | change))
    with pytest.raises(ConfigError) as rejected:
        load_key(file)
    assert value["privateKey"] not in str(rejected.value)


def test_a_file_that_everyone_can_read_is_rejected(tmp_path: Path) -> None:
    file = tmp_path / "key"
    create_key(file)
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        load_key(file)


def test_only_the_keys_signature_of_exactly_this_counts() -> None:
    verify_statement(SIGNED, "envelope", DIGEST, PUBLIC)
    twisted = SIGNED.statement
    for forged in (
        replace(SIGNED, signature=bytes(64)),
        replace(SIGNED, signature=SIGNED.signature[::-1]),
        replace(SIGNED, statement=replace(twisted, sequence=6)),
        replace(SIGNED, statement=replace(twisted, size=11)),
        replace(statement(b"a document", 5, key=OTHER), public_key=PUBLIC),
        statement(b"a document", 5, key=OTHER),
        statement(b"a document", 5, "snapshot"),
    ):
        with pytest.raises(SignatureFault, match=r"signature\.invalid"):
            verify_statement(forged, "envelope", DIGEST, PUBLIC)


def test_a_malleated_signature_is_rejected() -> None:
    order = 2**252 + 27742317777372353535851937790883648493
    s = int.from_bytes(SIGNED.signature[32:], "little") + order
    twin = replace(SIGNED, signature=SIGNED.signature[:32] + s.to_bytes(32, "little"))
    with pytest.raises(SignatureFault):
        verify_statement(twin, "envelope", DIGEST, PUBLIC)
