"""``oepnode telemetry validate``: measurements against their form and the rules.

Source: Part C §4.
"""

from __future__ import annotations

from oepnode.cli.common import acknowledgements
from oepnode.cli.common.edge_options import (
    DateOption,
    ProfileOption,
    TelemetryFile,
    date_of,
    feed_of,
)
from oepnode.cli.common.output import JsonFlag
from oepnode.client.edge.submissions import validate_telemetry


def validate(
    file: TelemetryFile,
    date: DateOption = None,
    profile: ProfileOption = "wide",
    as_json: JsonFlag = False,
) -> None:
    """Validate telemetry of NMIs or of a DUID: system and transaction acknowledgement.

    Gaps, duplicate minutes, clock jumps and daylight-saving hours are reported with their
    locations. Exit code 1 if rejected.
    """
    feed = feed_of(profile, "canonical")
    result = validate_telemetry(file, date=date_of(date), feed=feed)
    acknowledgements.report(result, as_json=as_json)
