"""The partition of a document (rules-v1 sections 8 to 10): nothing lost, nothing twice."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oepnode.domain.nem.nem_time import format_nem
from oepnode.domain.nem.quantities import NO_LIMIT, Feed
from oepnode.domain.rounds import (
    entries,
    merkle,
    partition,
    pseudonyms,
    site_entries,
    woven_sites,
)
from oepnode.domain.rounds.ballot import Result
from oepnode.domain.rounds.context import RoundContext
from oepnode.domain.rounds.inputs import row_runs
from oepnode.domain.rounds.inputs.registry_snapshot import parse_snapshot
from oepnode.domain.rounds.partition import Partition, RoundResult
from oepnode.domain.rounds.pseudonyms import UNASSIGNED
from oepnode.errors import DigestMismatch
from tests.generators import strategies
from tests.generators.cases import Case
from tests.support.envelope_documents import (
    END,
    NMI,
    OTHER_NMI,
    SALT,
    START_S,
    aggregator,
    array,
    assignment,
    dump,
    interval,
    record,
    snapshot,
)
from tests.support.partitioning import partition_round

CONTEXT = RoundContext(31337, b"\x01" * 20, 7)
Cell = tuple[str, int, int]


def computed(records: list[Any], *assignments: Any, **changes: Any) -> RoundResult:
    tree = snapshot(*assignments, **changes)
    return partition_round(array(*records), parse_snapshot(dump(tree).encode()), SALT, CONTEXT)


def partition_of(result: RoundResult, identity: str) -> Partition:
    (actual,) = (part for part in result.partitions if part.aggregator_id == identity)
    return actual


def cells(part: Partition) -> dict[Cell, tuple[int | None, ...]]:
    """Limits by (NMI, level, interval start) of the site entries of a partition."""
    actual = {}
    for nmi, entry in zip(part.nmis, part.entries, strict=True):
        site = entries.decode_site(entry)
        assert site.pseudonym == pseudonyms.site_pseudonym(pseudonyms.site_key(part.key, nmi), nmi)
        for position, limits in enumerate(site.limits.T.tolist()):
            values = tuple(None if value == NO_LIMIT else value for value in limits)
            cell = (nmi, site.header.level, site.header.horizon_start + position * 300)
            assert cell not in actual
            if values != (None,) * 4:
                actual[cell] = values
    return actual


def check_trees(result: RoundResult, salt: bytes = SALT) -> None:
    """Sections 9 and 10: order, roots, counts and inclusion of every leaf."""
    round_key = pseudonyms.round_key(salt, result.context)
    leaves = [merkle.leaf_hash(part.entry) for part in result.partitions]
    assert result.root == merkle.root_hash(leaves)
    assert result.result == Result(result.root, len(leaves))
    assert [p.entry for p in result.partitions] == sorted(p.entry for p in result.partitions)
    for index, part in enumerate(result.partitions):
        assert list(part.entries) == sorted(part.entries)
        assert part.site_count == len(part.entries) > 0
        assert part.key == pseudonyms.aggregator_key(round_key, part.aggregator_id)
        entry = entries.decode_partition(part.entry)
        assert entry.pseudonym == pseudonyms.aggregator_pseudonym(part.key, part.aggregator_id)
        assert (entry.root, entry.site_count) == (part.root, part.site_count)
        sites = [merkle.leaf_hash(site) for site in part.entries]
        assert part.root == merkle.root_hash(sites)
        merkle.verify_inclusion(leaves[index], index, len(leaves), result.path(index), result.root)


def test_one_site_of_one_aggregator() -> None:
    result = computed([record()], assignment())
    check_trees(result)
    (part,) = result.partitions
    assert (part.aggregator_id, part.nmis, part.nmi_count) == ("north", (NMI,), 1)
    assert part.key == pseudonyms.aggregator_key(pseudonyms.round_key(SALT, CONTEXT), "north")
    assert cells(part) == {(NMI, 0, START_S): (5000, -2500, None, None)}
    assert (result.partition_count, result.unassigned_nmis, result.path(0)) == (1, 0, [])
    assert result.root == merkle.leaf_hash(part.entry)


def test_nobody_holds_anything() -> None:
    for assignments in ([], [assignment(nmi="QAAAVZZZZZ")]):
        result = computed([record(), record(nmi=OTHER_NMI)], *assignments)
        check_trees(result)
        assert [part.aggregator_id for part in result.partitions] == [UNASSIGNED]
        assert result.unassigned_nmis == 2
    assert computed([record()], aggregators=[]).unassigned_nmis == 1


def test_an_aggregator_without_a_site_has_no_partition() -> None:
    result = computed([record()], assignment(), assignment(nmi=OTHER_NMI, aggregator="south"))
    assert [part.aggregator_id for part in result.partitions] == ["north"]


def test_an_nmi_that_changes_aggregator_is_in_both_partitions_for_its_part() -> None:
    """From nobody to north to south, one interval each; all entries have the full horizon."""
    day = [interval(diStartTime=format_nem(START_S + n * 300), diEndTime=None) for n in range(3)]
    for n, item in enumerate(day):
        item["activePowerExportLimit"] = n
    ends = END, format_nem(START_S + 600)
    result = computed(
        [record(*day)],
        assignment(**{"from": ends[0], "to": ends[1]}),
        assignment(aggregator="south", **{"from": ends[1]}),
    )
    check_trees(result)
    assert {part.aggregator_id for part in result.partitions} == {UNASSIGNED, "north", "south"}
    for n, identity in enumerate((UNASSIGNED, "north", "south")):
        part = partition_of(result, identity)
        assert cells(part) == {(NMI, 0, START_S + n * 300): (n * 1000, -2500, None, None)}
        header = entries.decode_site(part.entries[0]).header
        assert (header.horizon_start, header.interval_count) == (START_S, 3)
    assert result.unassigned_nmis == 1
    pseudonyms = {entries.decode_site(part.entries[0]).pseudonym for part in result.partitions}
    assert len(pseudonyms) == 3


def test_both_levels_of_an_nmi_are_two_entries_with_one_pseudonym() -> None:
    flex = record(oeApplicationLevel="Flex", oeTiming="POST", oeObjectiveFunction="other")
    result = computed([flex, record()], assignment())
    part = partition_of(result, "north")
    assert (part.site_count, part.nmi_count, part.nmis) == (2, 1, (NMI, NMI))
    first, second = (entries.decode_site(entry) for entry in part.entries)
    assert first.pseudonym == second.pseudonym
    assert (first.header.level, second.header.level) == (0, 1)
    assert (second.header.timing, second.header.objective) == (1, "other")


def test_a_kind_is_named_only_where_this_partition_has_a_limit_of_it() -> None:
    later = interval(diStartTime=END, diEndTime=None, reactivePowerExportLimit=1)
    result = computed(
        [record(interval(), later)],
        assignment(to=END),
        assignment(aggregator="south", **{"from": END}),
    )
    sizes = {part.aggregator_id: len(part.entries[0]) for part in result.partitions}
    assert sizes["south"] - sizes["north"] == 8
    assert cells(partition_of(result, "south")) == {
        (NMI, 0, START_S + 300): (5000, -2500, 1000, None)
    }


def test_the_round_is_in_every_key_and_every_root() -> None:
    document = array(record())
    registry = parse_snapshot(dump(snapshot(assignment())).encode())
    contexts = [CONTEXT, RoundContext(31337, b"\x01" * 20, 8), RoundContext(1, b"\x01" * 20, 7)]
    results = [partition_round(document, registry, SALT, context) for context in contexts]
    assert len({result.root for result in results}) == 3
    assert len({result.partitions[0].key for result in results}) == 3


def test_names_and_public_keys_of_aggregators_do_not_change_the_root() -> None:
    """Keys for delivery do not change the root; neither do aggregators without a site."""
    plain = computed([record()], assignment())
    others = [aggregator("south"), aggregator("north", name="x", publicKey="ab" * 32)]
    assert computed([record()], assignment(), aggregators=others).root == plain.root
    assert computed([record()], assignment(), aggregators=others[1:]).root == plain.root


@pytest.mark.parametrize("salt", [b"", bytes(32), SALT + b"\x00", SALT[:31]])
def test_another_salt_is_rejected(salt: bytes) -> None:
    document = array(record())
    registry = parse_snapshot(dump(snapshot(assignment())).encode())
    with pytest.raises(DigestMismatch, match="snapshot salt"):
        partition_round(document, registry, salt, CONTEXT)


def of_case(case: Case) -> RoundResult:
    feed = Feed(case.profile, case.import_sign)
    context = RoundContext(case.chain_id, case.contract, case.number)
    return partition_round(case.envelope, parse_snapshot(case.registry), case.salt, context, feed)


@settings(deadline=None, max_examples=100)
@given(case=strategies.rounds())
def test_every_row_is_in_exactly_one_partition_with_its_values(case: Case) -> None:
    result = of_case(case)
    check_trees(result, case.salt)
    actual: dict[Cell, tuple[str, tuple[int | None, ...]]] = {}
    for part in result.partitions:
        for cell, limits in cells(part).items():
            assert cell not in actual
            actual[cell] = (part.aggregator_id, limits)
    assert actual == {
        (nmi, level, start): (case.holders[nmi, start], limits)
        for (nmi, level), rows in case.rows.items()
        for start, limits in rows.items()
    }


@settings(deadline=None, max_examples=25)
@given(case=strategies.rounds(), size=st.integers(1, 3))
def test_the_size_of_what_is_done_together_does_not_matter(case: Case, size: int) -> None:
    plain = of_case(case)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_runs, "_ROWS_PER_PART", size)
        patch.setattr(site_entries, "_CHUNK_BYTES", size)
        patch.setattr(woven_sites, "_ROWS_PER_TASK", size)
        patch.setattr(partition, "_LEAVES_PER_TASK", 1 << size)
        other = of_case(case)
    assert (other.root, other.partition_count) == (plain.root, plain.partition_count)
    for left, right in zip(other.partitions, plain.partitions, strict=True):
        assert (left.nmis, left.entries) == (right.nmis, right.entries)
