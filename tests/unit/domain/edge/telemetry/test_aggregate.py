"""HLD Appendix H: what a unit measures in the two arrangements, on the houses of Appendix E.

Houses 1 to 5, kW. Printed are the results (active power, controlled generation and load, energy
stored) and most captions; they are checked as they stand, and where a caption or a figure cannot be
right, the test's name says ``document_error``. Which assets run at which house is drawn only: those
of Appendix E, which Appendix H calls D. H.3 and H.4 have no caption: that all loads and chargers
run in H.3, and all generation without controlled load in H.4, is derived from the results.
"""

from __future__ import annotations

import numpy as np
import pytest

from oepnode.domain.edge.telemetry.aggregate import UnitSums, UnitTelemetry, from_frame
from tests.support.telemetry_columns import START, A, B, C, frame, reading

NATIVE = [7.5, 7.5, 25, 25, 5]
NATIVE_MORE: list[float] = [8, 8, 20, 20, 20]
POOL_AND_APPLIANCES = [4.4, 4.5, 6, 6.9, 8.2]
CHARGE: list[float] = [5, 5, 5, 5, 0]
DISCHARGE_AND_SOLAR: list[float] = [15, 15, 15, 10, 5]
STORED = [10, 10, 10, 5, 0]
NONE: list[float] = [0, 0, 0, 0, 0]


def unit(
    uncontrolled: list[float], controlled: list[float], generation: list[float] = NONE
) -> UnitTelemetry:
    """Telemetry of five houses at one minute; loads given as magnitudes in kW."""
    sums = UnitSums()
    for index in range(5):
        load, base, up = controlled[index], uncontrolled[index], generation[index]
        sums.add(
            frame(
                reading(
                    f"630500000{index}",
                    1,
                    round((up - base - load) * 1000),
                    controlled_generation_w=round(up * 1000),
                    controlled_load_w=round(-load * 1000),
                    energy_stored_wh=STORED[index] * 1000,
                )
            )
        )
    return sums.unit()


def kilowatts(total: UnitTelemetry) -> tuple[float, float, float, float]:
    """Active power, controlled generation, controlled load, stored energy."""
    columns = (
        total.active_power_w,
        total.controlled_generation_w,
        total.controlled_load_w,
        total.energy_stored_wh,
    )
    return tuple(int(column[0]) / 1000 for column in columns)  # type: ignore[return-value]


def test_hld_h_1_net_load_all_loads_on() -> None:
    total = unit(NATIVE, POOL_AND_APPLIANCES)
    assert kilowatts(total) == (-100, 0, -30, 35)
    assert total.flow_w("NMI").tolist() == [-100_000]
    assert total.flow_w("Flex").tolist() == [-30_000], "Flex: equals the controlled load"


def test_hld_h_1_net_load_controlled_load_off() -> None:
    assert kilowatts(unit(NATIVE, NONE)) == (-70, 0, 0, 35)


def test_hld_h_1_more_native_load_shows_at_the_nmi_and_not_in_flex() -> None:
    total = unit(NATIVE_MORE, NONE)
    assert kilowatts(total) == (-76, 0, 0, 35)
    assert total.flow_w("Flex").tolist() == [0]


def test_hld_h_2_document_error_net_generation_with_the_caption_of_a_load_example() -> None:
    """The caption has 30 kW of controlled load; −10 kW and Flex load 0 hold without it."""
    assert kilowatts(unit(NATIVE, NONE, DISCHARGE_AND_SOLAR)) == (-10, 60, 0, 35)
    as_captioned = unit(NATIVE, POOL_AND_APPLIANCES, DISCHARGE_AND_SOLAR)
    assert kilowatts(as_captioned) == (-40, 60, -30, 35)


def test_hld_h_2_document_error_net_generation_with_70_kw_native_load_instead_of_76() -> None:
    assert kilowatts(unit(NATIVE_MORE, NONE, DISCHARGE_AND_SOLAR)) == (-16, 60, 0, 35)
    assert kilowatts(unit(NATIVE, NONE, DISCHARGE_AND_SOLAR))[0] == -10


def test_hld_h_3_document_error_battery_charging_reaches_120_kw_and_not_130() -> None:
    """70 native + 30 controlled + 20 charging; the charging is controlled load as well."""
    charging = [a + b for a, b in zip(POOL_AND_APPLIANCES, CHARGE, strict=True)]
    total = unit(NATIVE, charging)
    assert kilowatts(total) == (-120, 0, -50, 35)
    documented = (-130, 0, -30, 35)
    assert kilowatts(total) != documented
    assert total.flow_w("NMI")[0] == -70_000 + total.flow_w("Flex")[0]
    assert documented[0] != -70 + documented[2], "the document's own figures do not add up"


def test_hld_h_4_battery_discharging() -> None:
    """Printed: the four results. Derived: 70 kW of native load, and 35 + 25 kW of generation."""
    total = unit(NATIVE, NONE, DISCHARGE_AND_SOLAR)
    assert kilowatts(total) == (-10, 60, 0, 35)
    assert total.flow_w("NMI").tolist() == [-10_000]
    assert total.flow_w("Flex").tolist() == [60_000]


def test_a_missing_nmi_is_seen_in_the_minute_it_is_missing() -> None:
    sums = UnitSums()
    sums.add(frame(reading("6305000001", 2, 5), reading("6305000001", 1, 3)))
    sums.add(frame(reading("6305000002", 1, 4)))
    total = sums.unit()
    assert total.minute.tolist() == [START + 60, START + 120]
    assert total.active_power_w.tolist() == [7, 5]
    assert total.nmis.tolist() == [2, 1]
    assert total.is_whole.tolist() == [True, False]


def test_sums_are_exact_beyond_32_bits() -> None:
    sums = UnitSums()
    sums.add(frame(*(reading(nmi, 1, 2_147_483_000) for nmi in (A, B, C))))
    assert sums.unit().active_power_w.tolist() == [3 * 2_147_483_000]


@pytest.mark.parametrize("pieces", [(), (frame(),)])
def test_no_telemetry_is_an_empty_unit(pieces: tuple[object, ...]) -> None:
    sums = UnitSums()
    for piece in pieces:
        sums.add(piece)  # type: ignore[arg-type]
    assert len(sums.unit().minute) == 0
    assert sums.unit().most_nmis == 0


def test_telemetry_of_the_unit_itself_is_used_as_it_is() -> None:
    rows = frame(reading(A, 2, 9), reading(A, 1, 7))
    total = from_frame(rows.rename({"nmi": "duid"}))
    assert total.active_power_w.tolist() == [7, 9]
    assert np.array_equal(total.nmis, [1, 1])


def test_a_copy_is_added_once_and_a_minute_in_conflict_has_no_sum() -> None:
    rows = [reading(A, 1, 3), reading(B, 1, 4), reading(A, 2, 5), reading(B, 2, 6)]
    copy, other = reading(A, 1, 3, submitted_us=7), reading(B, 2, 9)
    sums = UnitSums()
    sums.add(frame(*rows, copy, other))
    total = sums.unit()
    assert (total.minute.tolist(), total.active_power_w.tolist()) == ([START + 60], [7])
    assert (total.nmis.tolist(), total.conflicting) == ([2], 1)
    unit_rows = frame(rows[0], copy, rows[2], reading(A, 2, 9)).rename({"nmi": "duid"})
    own = from_frame(unit_rows)
    assert (own.minute.tolist(), own.active_power_w.tolist()) == ([START + 60], [3])
    assert own.conflicting == 1
