"""Section 5: limits from JSON numbers to watts."""

from __future__ import annotations

from tests.reference.limits import KINDS, watts
from tests.reference.vectors.common import Json

NUMBERS = (
    ("0", "wide", "canonical", 0),
    ("-0", "wide", "canonical", 0),
    ("-0.000", "wide", "canonical", 1),
    ("0e5", "wide", "magnitude", 1),
    ("-0", "wide", "magnitude", 1),
    ("0e99999999999999999999", "wide", "canonical", 0),
    ("-0e-99999999999999999999", "wide", "canonical", 1),
    ("1.5", "wide", "canonical", 0),
    ("1.5000", "wide", "canonical", 0),
    ("15e-1", "wide", "canonical", 0),
    ("0.0015E+3", "wide", "canonical", 0),
    ("0.001", "wide", "canonical", 2),
    ("1000e-6", "wide", "canonical", 2),
    ("2147483.647", "wide", "canonical", 0),
    ("-2147483.647", "wide", "canonical", 1),
    ("-1.5", "wide", "canonical", 3),
    ("1.5", "wide", "magnitude", 1),
    ("1.5", "wide", "magnitude", 3),
    ("1.005", "wide", "canonical", 0),
    ("99.99", "edge", "canonical", 0),
    ("-99.99", "edge", "canonical", 1),
    ("99.990", "edge", "canonical", 0),
    ("99.99", "edge", "magnitude", 1),
    ("99.99", "edge", "canonical", 2),
    ("-99.99", "edge", "canonical", 3),
    ("-0.0", "edge", "magnitude", 3),
    ("9.9990E1", "edge", "canonical", 2),
    ("2147483.648", "wide", "canonical", 0),
    ("-2147483.648", "wide", "canonical", 1),
    ("1e400", "wide", "canonical", 0),
    ("1e99999999999999999999", "wide", "canonical", 0),
    ("1e-99999999999999999999", "wide", "canonical", 0),
    ("0.0005", "wide", "canonical", 0),
    ("1e-4", "wide", "canonical", 0),
    ("100", "edge", "canonical", 0),
    ("99.999", "edge", "canonical", 0),
    ("0.005", "edge", "canonical", 0),
    ("100", "edge", "canonical", 2),
    ("99.991", "edge", "canonical", 2),
    ("0.001", "edge", "magnitude", 3),
    ("12345678901.0001", "wide", "canonical", 0),
    ("-2147483.6481", "wide", "canonical", 0),
    ("-1", "edge", "canonical", 2),
    ("-1", "wide", "canonical", 0),
    ("-1", "wide", "magnitude", 0),
    ("1", "wide", "canonical", 1),
    ("-1", "wide", "magnitude", 1),
    ("-1", "wide", "canonical", 2),
    ("1", "wide", "canonical", 3),
)


def limit_vectors() -> Json:
    """Numbers as written to watts."""
    accepted, rejected = [], []
    for text, profile, import_sign, kind in NUMBERS:
        case = {
            "text": text,
            "field": KINDS[kind],
            "profile": profile,
            "importSign": import_sign,
        }
        result = watts(text, KINDS[kind], profile, import_sign)
        if isinstance(result, str):
            rejected.append(case | {"rule": result})
        else:
            accepted.append(case | {"watts": result})
    return {"section": "5", "accepted": accepted, "rejected": rejected}
