"""No NMI in the repr of any result of the EDGE half of ``oepnode.client``."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from oepnode import client
from oepnode.errors import OepError
from tests.support import edge_documents
from tests.support.loaded_boffers import SITE, loaded, site, unit
from tests.support.telemetry_columns import A, B, reading, record
from tests.unit.client.edge.boffers.test_constraining import loaded as loaded_days
from tests.unit.client.edge.boffers.test_constraining import offer
from tests.unit.client.edge.conftest import Write

SECRETS = (A, B, SITE, edge_documents.NMI)
FIVE = [(5, -5)] * 2


def values(value: object) -> Iterator[object]:
    """A value and every struct, dataclass and container in it, at any depth."""
    if isinstance(value, msgspec.Struct):
        inner: Any = [getattr(value, name) for name in value.__struct_fields__]
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        inner = [getattr(value, field.name) for field in dataclasses.fields(value)]
    elif isinstance(value, tuple | list) and not all(isinstance(each, str) for each in value):
        inner = value
    elif isinstance(value, Mapping):
        inner = value.values()
    else:
        return
    yield value
    for each in inner:
        yield from values(each)


def telemetry_results(write: Write, write_telemetry: Write, folder: Path) -> Iterator[object]:
    envelopes = client.load_envelopes(write("e.json", record(A, FIVE), record(B, FIVE)))
    after = client.load_envelopes(write("p.json", record(A, FIVE, timing="POST")))
    yield from (envelopes, client.select_nmi(envelopes, A), client.view_envelopes(envelopes))
    yield client.validate_envelopes(write("e.json", record(A, FIVE)))
    yield client.load_both_envelopes(folder / "e.json", folder / "p.json")
    yield client.compare_envelopes(envelopes, after)
    file = write_telemetry("t.json", reading(A, 5, 5100), reading(A, 5, 9), reading(B, 5))
    telemetry = client.load_telemetry(file)
    yield from (telemetry, client.validate_telemetry(file))
    (folder / "d.json").write_bytes(edge_documents.document(edge_documents.instruction(1)))
    dispatch = client.load_dispatch(folder / "d.json")
    yield from (dispatch, client.validate_dispatch(folder / "d.json"))
    bound = client.Targets(dispatch)
    assessment = client.assess_telemetry(telemetry, envelopes, portfolio={A, B}, targets=bound)
    yield from (bound, assessment, assessment.levels, assessment.report())
    (folder / "f.json").write_bytes(edge_documents.document(edge_documents.forecast(1)))
    forecast = client.load_forecast(folder / "f.json")
    yield from (forecast, client.validate_forecast(folder / "f.json"))
    yield client.score_forecast(telemetry, forecast)


def boffer_results(write: Write, folder: Path) -> Iterator[object]:
    client.write_boffers(folder / "b.json", [offer()])
    yield from (client.load_boffers(folder / "b.json"), client.validate_boffers(folder / "b.json"))
    client.write_boffers(folder / "r.json", [offer(submitted_us=(1 << 50)), offer()])
    skipped = client.load_boffers(folder / "r.json", skip_rejected=True)
    yield from (skipped, skipped.report(), client.load_accepted(folder / "r.json"))
    boffers = loaded(unit(), site([1]))
    choice = client.BofferChoice(nmi=SITE)
    cleared = client.clear_boffers(boffers, 0)
    curve = client.supply_curve(boffers, choice=choice)
    yield from (choice, boffers, cleared, cleared.report(), curve, curve.report())
    yield client.compare_boffers(boffers, boffers)
    envelopes = client.load_envelopes(write("e.json", record(A, FIVE)))
    result = client.constrain_boffers(loaded_days(offer()), envelopes)
    written = client.write_constrained(folder / "c.json", result)
    yield from (result, result.report(), written, written.report())


def test_no_error_about_boffers_shows_an_nmi(tmp_path: Path) -> None:
    wrong, date = site([1]), dt.date(2026, 11, 22)
    wrong.avail[0, 10] = -5_000
    client.write_boffers(tmp_path / "b.json", [wrong])
    with pytest.raises(OepError) as rejected:
        client.load_boffers(tmp_path / "b.json", skip_rejected=True)
    with pytest.raises(OepError) as expired:
        client.clear_boffers(loaded(site([1])), 0, choice=client.BofferChoice(date=date))
    for caught in (rejected, expired):
        assert SITE not in f"{caught.value!r} {caught.value}"


def test_no_repr_of_a_result_shows_an_nmi(
    write: Write, write_telemetry: Write, tmp_path: Path
) -> None:
    results = [
        *telemetry_results(write, write_telemetry, tmp_path),
        *boffer_results(write, tmp_path),
    ]
    walked = [each for result in results for each in values(result)]
    assert len(walked) > len(results)
    for value in walked:
        for secret in SECRETS:
            assert secret not in repr(value), type(value)
