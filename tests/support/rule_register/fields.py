"""The register of fields: their columns in Part C's tables, and deviations of the readers.

``mandatory``, ``nullable`` and the type are the tables' columns, as they are printed. Where the
readers require more or less, `Field.deviation` has the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

from oepnode.domain.edge.boffers import validate as boffers
from oepnode.domain.edge.envelopes import validate as envelopes
from oepnode.domain.edge.forecasts import validate as forecasts
from oepnode.domain.edge.telemetry import validate as telemetry
from tests.support import edge_documents
from tests.support.edge_documents import NMI, document, measurement
from tests.support.envelope_documents import array, interval, record
from tests.support.rule_register.row import Check, slug

Keys = Sequence[str | int]


@dataclass(frozen=True)
class Dataset:
    """A dataset of Part C.

    Attributes:
        check: Validates records.
        record: A record that is accepted.
        null_code: Code of a null that is not allowed.
    """

    check: Check
    record: dict[str, Any]
    null_code: str = "field.null"


@dataclass(frozen=True)
class Field:
    """A field of Part C's tables.

    Attributes:
        section: Section that defines it.
        dataset: Its dataset.
        keys: Its location in the record.
        mandatory: "Is mandatory", as printed.
        nullable: "Is nullable", as printed.
        wrong: A value of another type.
        deviation: The reason why the readers treat ``mandatory`` as the opposite, or empty.
        missing_at: Location of a missing field's fault, where it is another one.
        missing_cites: The section that it cites, where it is another one.
    """

    section: str
    dataset: Dataset
    keys: Keys
    mandatory: bool
    nullable: bool
    wrong: Any = 7
    deviation: str = ""
    missing_at: Keys = ()
    missing_cites: str = ""

    @property
    def name(self) -> str:
        """Section and name as the test's id."""
        return f"{slug(self.section)}-{self.keys[-1]}"

    @property
    def is_asked(self) -> bool:
        """Whether a record without it is rejected."""
        return self.mandatory != bool(self.deviation)

    def without(self) -> list[dict[str, Any]]:
        """A document that lacks the field."""
        changed, holder = self._copy()
        del holder[self.keys[-1]]
        return [changed]

    def holding(self, value: Any) -> list[dict[str, Any]]:
        """A document whose field holds a value."""
        changed, holder = self._copy()
        holder[self.keys[-1]] = value
        return [changed]

    def _copy(self) -> tuple[dict[str, Any], Any]:
        changed = deepcopy(self.dataset.record)
        holder: Any = changed
        for key in self.keys[:-1]:
            holder = holder[key]
        return changed, holder


def path(keys: Keys) -> str:
    """A location in the first record."""
    steps = (f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    return f"$.records[0]{''.join(steps)}"


BOFFER: Final = Dataset(
    lambda records: boffers.validate(document(*records)), edge_documents.nmi_boffer()
)
TELEMETRY: Final = Dataset(
    lambda records: telemetry.validate(document(*records)),
    edge_documents.nmi_telemetry(measurement()),
)
FORECAST: Final = Dataset(
    lambda records: forecasts.validate(document(*records)), edge_documents.forecast()
)
ENVELOPE: Final = Dataset(
    lambda records: envelopes.validate(array(*records)),
    record(
        operatingEnvelopes=[{"nmi": NMI, "intervals": [interval()]}],
        submissionTimestamp="2026-11-20T09:00:00+10:00",
    ),
    null_code="field.type",
)

_BID: Final = ("energyBids", 0)
_PERIOD: Final = (*_BID, "energyPeriods", 0)
_MEASURED: Final = ("nmiTelemetryIntervals", 0)
_ENVELOPE: Final = ("operatingEnvelopes", 0)
_INTERVAL: Final = (*_ENVELOPE, "intervals", 0)
_PAIRS_REQUIRED: Final = "the Boffer of a site offers price/quantity pairs, and no fixed load"
_NULL_ANYWAY: Final = "absent is read as null, which is allowed"

FIELDS: Final = (
    Field("Part C §3.3 field 1", BOFFER, ("nmi",), True, False),
    Field("Part C §3.3 field 2", BOFFER, ("bofferSummationLevel",), True, False),
    Field("Part C §3.3 field 3", BOFFER, ("bofferTiming",), True, False),
    Field("Part C §3.3 field 4", BOFFER, ("accumulateBands",), True, False),
    Field("Part C §3.3 field 5", BOFFER, ("energyBids",), True, False, {}),
    Field("Part C §3.3 field 5.1", BOFFER, (*_BID, "tradingDate"), True, False, 20261120),
    Field("Part C §3.3 field 5.2", BOFFER, (*_BID, "prices"), False, False, "1",
          deviation=_PAIRS_REQUIRED,
          missing_cites="Part C §3.1"),
    Field("Part C §3.3 field 5.3", BOFFER, (*_BID, "energyPeriods"), True, False, {}),
    Field("Part C §3.3 field 5.3.1", BOFFER, (*_PERIOD, "periodId"), True, False, "72"),
    Field("Part C §3.3 field 5.3.2", BOFFER, (*_PERIOD, "bandAvail"), False, False, {},
          deviation=_PAIRS_REQUIRED,
          missing_cites="Part C §3.1"),
    Field("Part C §3.3 field 6", BOFFER, ("submissionDateTime",), True, False),
    Field("Part C §4.3 field 1", TELEMETRY, ("nmi",), True, False),
    Field("Part C §4.3 field 3", TELEMETRY, ("nmiTelemetryIntervals",), True, False, {}),
    Field("Part C §4.3 field 3.1", TELEMETRY, (*_MEASURED, "measurementDateTime"), True, False),
    Field("Part C §4.3 field 3.2", TELEMETRY, (*_MEASURED, "activePower"), True, False, "1"),
    Field("Part C §4.3 field 3.3", TELEMETRY, (*_MEASURED, "controlledGeneration"), True, False,
          "1"),
    Field("Part C §4.3 field 3.4", TELEMETRY, (*_MEASURED, "controlledLoad"), True, False, "-1"),
    Field("Part C §4.3 field 3.5", TELEMETRY, (*_MEASURED, "energyStored"), True, False, "1"),
    Field("Part C §4.3 field 4", TELEMETRY, ("nmiOeSubmissionTimestamp",), False, True),
    Field("Part C §4.3 field 5", TELEMETRY, ("activePowerExportLimit",), True, False, "5",
          missing_at=(*_MEASURED, "activePowerExportLimit")),
    Field("Part C §4.3 field 6", TELEMETRY, ("activePowerImportLimit",), True, False, "-5",
          missing_at=(*_MEASURED, "activePowerImportLimit")),
    Field("Part C §4.3 field 7", TELEMETRY, ("reactivePowerExportLimit",), True, True, "5",
          deviation=_NULL_ANYWAY),
    Field("Part C §4.3 field 8", TELEMETRY, ("reactivePowerImportLimit",), True, True, "-5",
          deviation=_NULL_ANYWAY),
    Field("Part C §4.3 field 9", TELEMETRY, ("submissionDateTime",), False, True),
    Field("Part C §5.3 field 1", FORECAST, ("nmi",), True, False),
    Field("Part C §5.3 field 2", FORECAST, ("measurementDateTime",), True, False),
    Field("Part C §5.3 field 3", FORECAST, ("uncontrolFcst",), True, False, "1"),
    Field("Part C §5.3 field 4", FORECAST, ("submissionDateTime",), False, True),
    Field("Part C §6.3 field 1", ENVELOPE, ("nmi",), True, False),
    Field("Part C §6.3 field 2", ENVELOPE, ("oeTiming",), True, False),
    Field("Part C §6.3 field 3", ENVELOPE, ("oeObjectiveFunction",), True, False),
    Field("Part C §6.3 field 4", ENVELOPE, ("oeApplicationLevel",), True, False),
    Field("Part C §6.3 field 5", ENVELOPE, ("operatingEnvelopes",), True, False, {}),
    Field("Part C §6.3 field 5.1", ENVELOPE, (*_ENVELOPE, "nmi"), True, True,
          deviation=_NULL_ANYWAY),
    Field("Part C §6.3 field 5.2", ENVELOPE, (*_ENVELOPE, "intervals"), True, False, {}),
    Field("Part C §6.3 field 5.2.1", ENVELOPE, (*_INTERVAL, "activePowerExportLimit"), True,
          False, "5"),
    Field("Part C §6.3 field 5.2.2", ENVELOPE, (*_INTERVAL, "activePowerImportLimit"), True,
          False, "-5"),
    Field("Part C §6.3 field 5.2.3", ENVELOPE, (*_INTERVAL, "diStartTime"), False, True),
    Field("Part C §6.3 field 5.2.4", ENVELOPE, (*_INTERVAL, "diEndTime"), False, True),
    Field("Part C §6.3 field 6", ENVELOPE, ("submissionTimestamp",), False, True),
)  # fmt: skip
"""Every field of §3.3, §4.3, §5.3 and §6.3; of arrays, whose columns are blank, as mandatory."""
