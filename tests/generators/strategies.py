"""Hypothesis strategies: random valid rounds, and documents with one fault each.

``rounds()`` gives a valid `Case`: an envelope document in one of its many spellings, a registry
snapshot, and by construction the result of reading them. ``damaged_envelopes()`` and
``damaged_registries()`` put one fault of a known kind into a valid case, and name the rule that it
breaks.
"""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import strategies as st

from tests.generators.cases import DAY, Case, Shape, random_nmi
from tests.generators.damage import Damaged
from tests.generators.damaged_bytes import BYTE_DAMAGES
from tests.generators.damaged_envelopes import ENVELOPE_DAMAGES, damage_envelope
from tests.generators.damaged_registries import REGISTRY_DAMAGES, damage_registry
from tests.generators.envelope_cases import random_document
from tests.generators.json_text import Style, write_document, write_json
from tests.generators.registry_cases import random_registry
from tests.reference.nem_time import NEM_OFFSET, STEP


def build_case(shape: Shape) -> Case:
    """The case of a shape; the same shape always gives the same case."""
    rnd = random.Random(shape.seed)
    day = rnd.randrange(5_000, 40_000) * 86_400 + 4 * 3600 - NEM_OFFSET
    first = day if shape.full_day else day + rnd.randrange(DAY) * STEP
    nmis: list[str] = []
    while len(nmis) < shape.nmis:
        nmi = random_nmi(rnd)
        if nmi not in nmis:
            nmis.append(nmi)
    records, rows, sites = random_document(shape, nmis, first, rnd)
    salt = rnd.randbytes(32)
    registry_tree, holders = random_registry(shape, rows, first, salt, rnd)
    plain = replace(shape.style, ndjson=False)
    return Case(
        shape=shape,
        records=records,
        registry_tree=registry_tree,
        envelope=write_document(records, shape.style, rnd),
        registry=write_json(registry_tree, plain, rnd).encode(),
        salt=salt,
        chain_id=rnd.choice([1, 246, 31337, 2**256 - 1]),
        contract=rnd.randbytes(20),
        number=rnd.choice([1, 7, 2**64 - 1]),
        rows=rows,
        sites=sites,
        holders=holders,
    )


def styles() -> st.SearchStrategy[Style]:
    return st.builds(
        Style, ndjson=st.booleans(), blanks=st.booleans(), escapes=st.booleans(), crlf=st.booleans()
    )


def shapes() -> st.SearchStrategy[Shape]:
    """Shapes of small rounds; one in about twenty has a record of a whole trading day."""
    return st.builds(
        Shape,
        seed=st.integers(0, 2**64 - 1),
        nmis=st.integers(1, 12),
        intervals=st.integers(1, 24),
        aggregators=st.integers(0, 4),
        profile=st.sampled_from(["wide", "edge"]),
        import_sign=st.sampled_from(["canonical", "magnitude"]),
        both_levels=st.booleans(),
        gaps=st.booleans(),
        reactive=st.booleans(),
        repeats=st.booleans(),
        supersession=st.booleans(),
        churn=st.booleans(),
        full_day=st.integers(0, 19).map(lambda n: n == 19),
        style=styles(),
    )


def rounds() -> st.SearchStrategy[Case]:
    """Valid rounds."""
    return shapes().map(build_case)


def damaged_envelopes(kind: str | None = None) -> st.SearchStrategy[Damaged]:
    """Envelope documents with one fault, of one kind or of any."""
    kinds = [kind] if kind else [*ENVELOPE_DAMAGES, *BYTE_DAMAGES]
    seeds = st.integers(0, 2**32 - 1)
    return st.builds(damage_envelope, rounds(), st.sampled_from(kinds), seeds)


def damaged_registries(kind: str | None = None) -> st.SearchStrategy[Damaged]:
    """Registry snapshots with one fault, of one kind or of any."""
    kinds = [kind] if kind else list(REGISTRY_DAMAGES)
    # Without churn, every NMI has an assignment.
    usable = shapes().map(
        lambda s: build_case(replace(s, aggregators=s.aggregators or 1, churn=False))
    )
    seeds = st.integers(0, 2**32 - 1)
    return st.builds(damage_registry, usable, st.sampled_from(kinds), seeds)
