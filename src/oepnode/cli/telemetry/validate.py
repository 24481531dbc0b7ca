"""``oepnode telemetry validate``: measurements against their form and the rules.

Source: Part C §4.
"""

from __future__ import annotations

from oepnode.cli.common import acknowledgements, envelope_input, received
from oepnode.cli.common.envelope_input import ProfileOption
from oepnode.cli.common.output import JsonFlag
from oepnode.cli.common.received import DayOption, TelemetryFile


def validate(
    file: TelemetryFile,
    day: DayOption = None,
    profile: ProfileOption = "wide",
    as_json: JsonFlag = False,
) -> None:
    """Check telemetry of NMIs or of a DUID: system and transaction acknowledgement.

    Gaps, doubled minutes, clock jumps and daylight-saving hours are told with their places. Exit
    code 1 if rejected.
    """
    feed = envelope_input.feed_of(profile, "canonical")
    found = received.read_telemetry(file, received.day_of(day), feed)
    acknowledgements.report(found, as_json=as_json)
