"""Documents judged in blocks: the verdict and the figures of the whole document."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given, settings

from oepnode.domain.documents.sources import BytesSource
from oepnode.domain.nem.quantities import Feed
from oepnode.domain.rounds.document_figures import read_figures
from oepnode.domain.rounds.inputs.comparison import superseded_within
from oepnode.domain.rounds.inputs.document_readers import open_document
from oepnode.domain.rounds.inputs.envelope_document import parse_document, parse_history
from oepnode.domain.rounds.inputs.site_figures import SiteFigures, figures_of_document
from oepnode.errors import DocumentFault
from tests.generators import strategies
from tests.generators.cases import Case
from tests.generators.damage import Damaged

COLUMNS = SiteFigures.__dataclass_fields__


def judged(data: bytes, feed: Feed) -> tuple[int, object]:
    """Number of faults, and the figures."""
    try:
        log, found = read_figures(open_document(BytesSource(data), feed))
    except DocumentFault as exc:
        return len(exc.faults) + exc.more, None
    return log.count, found


@settings(deadline=None, max_examples=80)
@given(case=strategies.rounds())
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_figures_are_those_of_the_whole_document(pack: object, case: Case) -> None:
    assert callable(pack)
    feed = Feed(case.profile, case.import_sign)
    log, found = read_figures(open_document(BytesSource(pack(case.envelope)), feed))
    assert log.count == 0
    assert found is not None
    document, rows = parse_history(case.envelope, feed)
    expected = figures_of_document(document, rows)
    for name in COLUMNS:
        assert (getattr(found.figures, name) == getattr(expected, name)).all(), name
    assert found.records == document.records
    assert found.within == superseded_within(rows)
    assert found.path_of(3) == "$.records[3]"


@settings(deadline=None, max_examples=150)
@given(damaged=strategies.damaged_envelopes())
def test_what_a_round_rejects_is_rejected(damaged: Damaged) -> None:
    feed = Feed(damaged.case.profile, damaged.case.import_sign)
    with pytest.raises(DocumentFault):
        parse_document(damaged.data, feed)
    count, found = judged(damaged.data, feed)
    assert count > 0
    assert found is None
