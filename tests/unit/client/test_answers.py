"""Results as JSON: structs and frames become plain values."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from types import MappingProxyType

import polars as pl
import pytest
from msgspec import UNSET, Struct, UnsetType

from oepnode.adapters.crypto.hpke import PrivateKey
from oepnode.client.answers import PrivateStruct, to_json
from oepnode.client.edge.boffers.load import LoadedBoffers
from oepnode.client.keys import KeyFileError, KeyPair, load_key_pair
from oepnode.domain.edge.validation.acknowledgement import Acknowledgement
from oepnode.domain.rounds.recipient_keys import KeyKind


class Result(Struct, frozen=True):
    day: date
    rows: pl.DataFrame
    extra: int | UnsetType = UNSET


def test_frames_become_rows_and_unset_fields_are_left_out() -> None:
    rows = pl.DataFrame({"nmi": ["a", "b"], "watts": [1, None]})
    value = to_json(Result(date(2026, 11, 20), rows))
    assert value == {
        "day": "2026-11-20",
        "rows": [{"nmi": "a", "watts": 1}, {"nmi": "b", "watts": None}],
    }
    assert json.loads(json.dumps(value)) == value


def test_nested_columns_become_objects_and_arrays() -> None:
    rows = pl.DataFrame({"counts": [{"a": 1}], "each": [[{"b": 2}]]})
    assert to_json(rows) == [{"counts": {"a": 1}, "each": [{"b": 2}]}]


def test_a_private_struct_shows_no_field() -> None:
    class Site(PrivateStruct, frozen=True, kw_only=True):
        nmi: str

    assert repr(Site(nmi="6305000001")) == str(Site(nmi="6305000001")) == "Site(…)"
    assert to_json(Site(nmi="6305000001")) == {"nmi": "6305000001"}


def test_anything_else_is_an_error() -> None:
    with pytest.raises(TypeError, match="object"):
        to_json(object())


SECRET = PrivateKey(KeyKind.X25519, b"s" * 32)


def test_a_key_pair_has_no_json() -> None:
    pair = KeyPair("A1", SECRET)
    for value in (pair, [pair]):
        with pytest.raises(TypeError, match="a KeyPair has no JSON"):
            to_json(value)
    with pytest.raises(AttributeError):
        pair.private_key = b""  # type: ignore[misc, assignment]
    assert pair == KeyPair("A1", SECRET) != KeyPair("A1", PrivateKey(KeyKind.X25519, b"t" * 32))
    assert len({pair, KeyPair("A1", SECRET)}) == 1


def test_keys_that_do_not_belong_together_are_no_key_file(tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    file.write_text(json.dumps({"kind": "x25519", "publicKey": "00" * 32, "privateKey": "11" * 32}))
    file.chmod(0o600)
    with pytest.raises(KeyFileError, match="does not belong to the public key"):
        load_key_pair(file)


def test_a_result_is_encoded_as_its_report() -> None:
    days = LoadedBoffers("b.json", (), Acknowledgement("transaction", "b.json", accepted=True))
    assert to_json(days) == to_json(days.report())
    assert to_json(days)["code"] == "accepted"


def test_read_only_mappings_become_objects() -> None:
    assert to_json(MappingProxyType({"a": 1})) == {"a": 1}
