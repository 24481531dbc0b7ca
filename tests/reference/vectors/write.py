"""Writes the test vectors of rules version 1 to docs/spec/vectors/, or checks them.

    scripts/make-vectors            write the files
    scripts/make-vectors --check    compare; exit 1 and name the files that differ

Guarantees: every value comes from the reference model in tests/reference and none from oepnode, so
that the vectors can check oepnode. The output depends on the sources alone.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tests.reference.vectors.certificates import certificate_vectors
from tests.reference.vectors.common import Json
from tests.reference.vectors.delivery import archive_vectors, bundle_vectors
from tests.reference.vectors.entries import entry_vectors
from tests.reference.vectors.form_files import form_vectors
from tests.reference.vectors.grants import grant_vectors
from tests.reference.vectors.keys import key_vectors
from tests.reference.vectors.limits import limit_vectors
from tests.reference.vectors.nmi import nmi_vectors
from tests.reference.vectors.parquets import parquet_vectors
from tests.reference.vectors.precedence import precedence_vectors
from tests.reference.vectors.rejected import rejected_vectors
from tests.reference.vectors.rounds import (
    array_round,
    blind_round,
    day_round,
    ndjson_round,
    round_vector,
    wide_round,
)
from tests.reference.vectors.sealing import sealing_vectors
from tests.reference.vectors.signatures import signature_vectors
from tests.reference.vectors.site_proofs import site_proof_vectors, token_list_vectors
from tests.reference.vectors.times import time_vectors
from tests.reference.vectors.tokens import token_vectors
from tests.reference.vectors.trees import tree_vectors

VECTORS = Path(__file__).resolve().parents[3] / "docs" / "spec" / "vectors"


def all_vectors() -> dict[str, Json]:
    """Content of each file by name."""
    return {
        "nmi.json": nmi_vectors(),
        "tokens.json": token_vectors(),
        "time.json": time_vectors(),
        "limits.json": limit_vectors(),
        "keys.json": key_vectors(),
        "entries.json": entry_vectors(),
        "trees.json": tree_vectors(),
        "round-array.json": round_vector("array", array_round(), 1, ("wide", "canonical")),
        "round-ndjson.json": round_vector("ndjson", ndjson_round(), 2, ("wide", "canonical")),
        "round-day.json": round_vector("day", day_round(), 3, ("edge", "magnitude")),
        "round-wide.json": round_vector("wide", wide_round(), 5, ("wide", "canonical")),
        "round-blind.json": round_vector("blind", blind_round(), 4, ("wide", "canonical")),
        "rejected.json": rejected_vectors(),
        "parquet.json": parquet_vectors(),
        "forms.json": form_vectors(),
        "precedence.json": precedence_vectors(),
        "sealing.json": sealing_vectors(),
        "bundle.json": bundle_vectors(),
        "site-proof.json": site_proof_vectors(),
        "archive.json": archive_vectors(),
        "token-list.json": token_list_vectors(),
        "grants.json": grant_vectors(),
        "signatures.json": signature_vectors(),
        "certificate.json": certificate_vectors(),
    }


def compact(value: Json, indent: int = 0) -> str:
    """JSON with a line per member, and short values on one line."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) + indent <= 98 or not isinstance(value, dict | list):
        return flat
    pad, end = " " * (indent + 1), " " * indent
    if isinstance(value, dict):
        lines = [
            f"{pad}{json.dumps(k, ensure_ascii=False)}: {compact(v, indent + 1)}"
            for k, v in value.items()
        ]
        return "{\n" + ",\n".join(lines) + f"\n{end}}}"
    return "[\n" + ",\n".join(pad + compact(v, indent + 1) for v in value) + f"\n{end}]"


def main() -> int:
    """Write or check; the exit code."""
    parser = argparse.ArgumentParser(description="Write the test vectors of rules version 1.")
    parser.add_argument("--check", action="store_true", help="only compare, exit 1 on a difference")
    is_check = parser.parse_args().check
    files = {name: compact(value) + "\n" for name, value in all_vectors().items()}
    present = {path.name for path in VECTORS.glob("*.json")}
    stale = sorted(present - files.keys())
    for name, text in files.items():
        path = VECTORS / name
        if is_check:
            if name not in present or path.read_bytes() != text.encode():
                stale.append(name)
        else:
            VECTORS.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
    if is_check and stale:
        print(f"not current: {', '.join(stale)}; run scripts/make-vectors")
        return 1
    print(f"{len(files)} vector files {'are current' if is_check else 'written'}")
    return 0
