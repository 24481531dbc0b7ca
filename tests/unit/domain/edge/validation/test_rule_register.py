"""The register: a failing and a passing document for every rule, and no code without one.

``pytest -k part_c_3_3`` runs the rules of Part C §3.3, ``-k hld_4_6_9`` that of HLD §4.6 (9),
``-k price.decimals`` all that give the code.
"""

from __future__ import annotations

import importlib
import re
from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from tests.support.rule_register import boffers as register_boffers
from tests.support.rule_register import envelopes as register_envelopes
from tests.support.rule_register import measurements as register_measurements
from tests.support.rule_register.fields import FIELDS, Field, path
from tests.support.rule_register.row import (
    REJECTED,
    SYSTEM,
    TRANSACTION,
    WARNING,
    Rule,
    outcome,
    slug,
)

REFERENCE: Final = Path(__file__).resolve().parents[5] / "docs" / "reference"
RULES: Final = (*register_boffers.RULES, *register_measurements.RULES, *register_envelopes.RULES)

TESTED_ELSEWHERE: Final = {
    "Part C §1.2 Trading Day": ("nem.test_nem_time", "test_a_trading_day_runs_from_four_to_four"),
    "Part C §1.2 Dispatch Interval": (
        "nem.test_nem_time",
        "test_every_day_has_288_periods_of_300_seconds",
    ),
    "Part C §3.1 no gate closure": (
        "edge.boffers.test_gate_closure",
        "test_part_c_3_1_boffers_of_sites_have_no_gate_closure",
    ),
    "Part C §4.3 end of the interval": (
        "edge.telemetry.test_conformance",
        "test_the_end_of_an_interval_belongs_to_it_part_c_4_3",
    ),
    "Part C §6.3 PRE against POST": (
        "edge.envelopes.test_pre_post",
        "test_room_is_the_excess_of_post_over_pre_in_both_directions",
    ),
    "Part C §6.3 Boffers within envelopes": (
        "edge.constraining.test_trim",
        "test_check_reports_how_far_beyond_the_limits",
    ),
    "HLD §4.1 six scenarios": (
        "edge.boffers.test_participation",
        "test_hld_4_1_each_scenario_has_a_boffer_that_passes_and_one_that_fails",
    ),
    "HLD §4.1 no gate closure in step 2": (
        "edge.boffers.test_gate_closure",
        "test_hld_4_1_step_2_has_no_gate_closure",
    ),
    "HLD §4.1 past intervals": (
        "edge.boffers.test_selection",
        "test_hld_4_1_periods_that_passed_keep_their_last_boffer",
    ),
    "HLD §4.3 no duty to respond": (
        "edge.dispatch.test_conformance",
        "test_in_step_1_nobody_is_required_to_respond_hld_4_3",
    ),
    "HLD §4.4 roll-forward": (
        "edge.boffers.test_selection",
        "test_hld_4_4_and_4_5_previous_days_boffer_rolls_forward",
    ),
    "HLD §4.4 the day before only": (
        "edge.boffers.test_selection",
        "test_hld_4_4_and_4_5_an_older_boffer_does_not_roll_forward",
    ),
    "HLD §4.5 targets are met": (
        "edge.dispatch.test_conformance",
        "test_deviations_above_below_within_tolerance_and_unmeasured_hld_4_5",
    ),
    "HLD §4.6 (1)": ("edge.boffers.test_rules", "test_hld_4_6_1_and_7_load_bands_hold_load"),
    "HLD §4.6 (2)": ("edge.boffers.test_rules", "test_hld_4_6_2_twenty_bands"),
    "HLD §4.6 (4)": ("edge.clearing.test_hld_examples", "test_hld_d_3_boffer_clears"),
    "HLD §4.6 (10)": (
        "edge.clearing.test_hld_examples",
        "test_hld_d_3_boffer_accumulates_both_ways_from_the_break",
    ),
    "HLD §4.6 (11) precedence": (
        "edge.clearing.test_clear",
        "test_hld_4_6_11_a_fixed_load_goes_before_the_bands_at_any_price",
    ),
    "HLD §4.6 (12)": (
        "edge.boffers.test_selection",
        "test_hld_4_6_12_a_fixed_load_counts_once_its_boffer_is_accepted",
    ),
    "HLD §4.7 Boffer Processing": (
        "edge.boffers.test_selection",
        "test_hld_4_7_latest_acknowledged_boffer_wins",
    ),
}
"""Rules without a code, because they define a computation: section → module and test."""

NOT_REACHED: Final = {
    "aggregator.duplicate": "of registry snapshots",
    "assignment.aggregator": "of registry snapshots",
    "assignment.overlap": "of registry snapshots",
    "boffer.bands": "of days made by code; a document's are bands.count and prices.count",
    "document.odd": "the code of reader warnings without one of their own; all have one",
    "horizon.gap": "of a document before it is published",
    "horizon.mismatch": "of computations on rounds",
    "horizon.shift": "of a document before it is published",
    "limit.large": "of a document before it is published",
    "limit.median": "of a document before it is published",
    "nmi.kind": "of computations on rounds",
    "nmi.in_text": "of blinding",
    "interval.no_limit": "of profile wide in rounds; Part C demands both active limits",
    "nmi.type": "of calls by code; a document's is field.type",
    "site.count": "of a document before it is published",
    "site.hole": "of a document before it is published",
    "site.unassigned": "of a document before it is published",
    "site.vanished": "of a document before it is published",
}
"""Codes that no document of the register reaches, with the reason."""

PART_C_SECTIONS: Final = (
    "Part C §2.3, §3.1",
    "Part C §1.2 Gate Closure, HLD §4.1",
    "Part C §1.2 (NEM time)",
    "Part C §3.1",
    *(f"Part C §3.3 field {field}" for field in ("1", "2", "3", "4", "5", "5.1", "5.2", "5.3",
                                                 "5.3.1", "5.3.2", "6")),
    "Part C §4.1",
    "Part C §4.2",
    *(f"Part C §4.3 field {field}" for field in ("1", "3", "3.1", "3.2", "3.3", "3.4", "3.5", "4",
                                                 "5", "6", "7", "8", "9")),
    "Part C §5",
    "Part C §5.1",
    *(f"Part C §5.3 field {field}" for field in ("1", "2", "3", "4")),
    *(f"Part C §6.3 field {field}" for field in ("1", "2", "3", "4", "5", "5.1", "5.2", "5.2.1",
                                                 "5.2.2", "5.2.3", "5.2.4", "6")),
)  # fmt: skip
"""Sections of Part C that validate something."""

HLD_SECTIONS: Final = (
    "HLD §4.1", "HLD §4.2.1", "HLD §4.2.4", "HLD §4.2.5", "HLD §4.3", "HLD §4.3, §4.5", "HLD §4.4",
    "HLD §4.5",
    *(f"HLD §4.6 ({number})" for number in range(1, 13)),
    "HLD §4.7 Price Bands", "HLD §4.7 $/non-zero quantity", "HLD §4.7 Boffer Processing",
)  # fmt: skip
"""Sections of the HLD that rule on Boffers."""

every_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
every_field = pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)


# --- each rule, failing and passing --------------------------------------------------------------


@every_rule
def test_a_document_that_breaks_the_rule_has_its_code_location_and_section(rule: Rule) -> None:
    result = outcome(rule.check, rule.bad)
    assert result.counts == {rule.code: rule.count, **rule.also}
    answer, first = result.first[rule.code]
    assert (answer, first.path) == (rule.answer, rule.path)
    assert first.section == rule.section or (
        answer == REJECTED and f"({rule.section})" in first.section
    )
    assert result.is_accepted == (rule.answer == WARNING)
    assert not (result.has_value and answer == SYSTEM), "a form that is rejected gives no value"


@every_rule
def test_the_corrected_document_is_accepted_without_a_finding(rule: Rule) -> None:
    result = outcome(rule.check, rule.good)
    assert result.counts == {}
    assert result.is_accepted


# --- each field ----------------------------------------------------------------------------------


@every_field
def test_the_record_with_the_field_is_accepted(field: Field) -> None:
    assert outcome(field.dataset.check, [field.dataset.record]).counts == {}


@every_field
def test_a_mandatory_field_is_required_and_another_is_not(field: Field) -> None:
    result = outcome(field.dataset.check, field.without())
    if not field.is_asked:
        assert result.counts == {}
        return
    assert result.counts == {"field.missing": 1}
    answer, first = result.first["field.missing"]
    location, section = path(field.missing_at or field.keys), field.missing_cites or field.section
    assert (answer, first.path, first.section) == (SYSTEM, location, section)


@every_field
def test_null_is_rejected_where_the_field_is_not_nullable(field: Field) -> None:
    result = outcome(field.dataset.check, field.holding(None))
    if field.nullable:
        assert result.counts == {}
        return
    code = field.dataset.null_code
    assert result.counts == {code: 1}
    answer, first = result.first[code]
    assert (answer, first.path, first.section) == (SYSTEM, path(field.keys), field.section)


@every_field
def test_a_value_of_another_type_is_rejected(field: Field) -> None:
    result = outcome(field.dataset.check, field.holding(field.wrong))
    assert result.counts == {"field.type": 1}
    answer, first = result.first["field.type"]
    assert (answer, first.path, first.section) == (SYSTEM, path(field.keys), field.section)


# --- the register is whole -----------------------------------------------------------------------


def page(name: str) -> set[str]:
    """Codes of a reference page, which is written from the code."""
    result = re.findall(r"^\| `([a-z_0-9]+\.[a-z_0-9]+)` \|", (REFERENCE / name).read_text(), re.M)
    assert result
    return set(result)


def reached() -> set[str]:
    """Codes of the register's rows."""
    result = {code for rule in RULES for code in (rule.code, *rule.also)}
    fields = {field.dataset.null_code for field in FIELDS if not field.nullable}
    return result | fields | {"field.missing", "field.type"}


def test_every_code_of_the_catalogue_is_reached_or_excused() -> None:
    catalogue = page("edge-codes.md") | page("rules.md")
    assert catalogue - reached() == set(NOT_REACHED)


def test_every_code_of_the_register_is_in_the_catalogue() -> None:
    assert reached() <= page("edge-codes.md") | page("rules.md")


@pytest.mark.parametrize("section", [*PART_C_SECTIONS, *HLD_SECTIONS], ids=slug)
def test_every_section_that_rules_on_something_has_a_row(section: str) -> None:
    rows = {rule.section for rule in RULES} | {field.section for field in FIELDS}
    assert section in rows | TESTED_ELSEWHERE.keys()


@pytest.mark.parametrize("section", TESTED_ELSEWHERE, ids=slug)
def test_a_rule_without_a_code_has_a_test_of_its_own(section: str) -> None:
    module, name = TESTED_ELSEWHERE[section]
    test = getattr(importlib.import_module(f"tests.unit.domain.{module}"), name)
    assert callable(test)


def test_each_row_has_a_name_of_its_own() -> None:
    names = Counter([*(rule.name for rule in RULES), *(field.name for field in FIELDS)])
    assert [name for name, count in names.items() if count > 1] == []


def test_sections_in_the_names_of_tests_are_spelled_alike() -> None:
    """One spelling, so that ``-k part_c_6_3`` and ``-k hld_4_6`` find all of a section's tests."""
    odd = re.compile(r"def (test\w*?(?:_s\d_\d|hld_4[1-7]|hld_[d-h]\d|part_c_\d\d)\w*)")
    files = Path(__file__).parents[1].rglob("test_*.py")
    assert [name for file in files for name in odd.findall(file.read_text("utf-8"))] == []


def test_each_answer_occurs() -> None:
    assert {rule.answer for rule in RULES} == {SYSTEM, TRANSACTION, WARNING, REJECTED}
