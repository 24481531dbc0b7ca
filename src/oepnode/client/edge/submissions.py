"""Submissions of telemetry, forecasts and dispatch instructions: validated or loaded.

Guarantees: any form is read (JSON, NDJSON, Parquet, a folder of Parquet files); a submission whose
form is rejected is never loaded; rows of one DUID are never mixed with those of another. A
submission whose form is right but whose business rules are broken is loaded with a note: gaps and
duplicate measurements are part of a report.

Source: Part C §3.2 (acknowledgements), §4 and §5, HLD §4.2.1 (DUID).

Example:
    >>> telemetry = load_telemetry("telemetry.parquet")                   # doctest: +SKIP
    >>> telemetry.rows.height, telemetry.notes                            # doctest: +SKIP
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from oepnode.adapters.storage import parquet
from oepnode.client.answers import PrivateStruct
from oepnode.client.files import FileName, name_file, read_file
from oepnode.domain.edge.validation.acknowledgement import Acknowledgement, ValidationResult
from oepnode.domain.nem.quantities import Feed

if TYPE_CHECKING:
    import polars as pl

T = TypeVar("T")

MAX_SIZE: Final = 1 << 32
"""Maximum size of a JSON submission in bytes."""


class Submission(PrivateStruct, frozen=True):
    """Rows of a submission whose form is right.

    Attributes:
        name: The file's name.
        rows: The rows, of one DUID where they are of DUIDs.
        transaction: The answer to its content.
        duid: The DUID that the rows are of; None for rows of NMIs.
        other_duid_rows: Rows of other DUIDs, which were left out.
    """

    name: str
    rows: pl.DataFrame
    transaction: Acknowledgement
    duid: str | None = None
    other_duid_rows: int = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on anything unusual."""
        notes = []
        if not self.transaction.accepted:
            notes.append(
                f"{self.name}: the transaction would be rejected: {self.transaction.message}; the "
                "report goes on with what is there"
            )
        if self.other_duid_rows:
            notes.append(
                f"{self.name}: {self.other_duid_rows} rows are of other DUIDs than {self.duid} and "
                "were left out"
            )
        return tuple(notes)


# --- validate ------------------------------------------------------------------------------------


def validate_telemetry(
    path: FileName, *, date: dt.date | None = None, feed: Feed | None = None
) -> ValidationResult[pl.DataFrame]:
    """Validate telemetry of NMIs or of a DUID.

    Args:
        path: JSON, NDJSON, Parquet, or a folder of Parquet files.
        date: Trading day that must be covered completely.
        feed: How quantities are written.

    Raises:
        ConfigError: If the file is not readable.
    """
    from oepnode.domain.edge.telemetry import validate as telemetry

    return _validate(path, "telemetry", telemetry, feed=feed, day=date)


def validate_forecast(
    path: FileName, *, date: dt.date | None = None
) -> ValidationResult[pl.DataFrame]:
    """Validate uncontrolled forecasts; arguments and errors as in `validate_telemetry`."""
    from oepnode.domain.edge.forecasts import validate as forecast

    return _validate(path, "forecast", forecast, day=date)


def validate_dispatch(
    path: FileName, *, date: dt.date | None = None
) -> ValidationResult[pl.DataFrame]:
    """Validate dispatch instructions; arguments and errors as in `validate_telemetry`."""
    from oepnode.domain.edge.dispatch import validate as dispatch

    return _validate(path, "dispatch instructions", dispatch, day=date)


def _validate(
    path: FileName,
    what: str,
    dataset: Any,  # noqa: ANN401 - a module of the domain
    **settings: Any,  # noqa: ANN401
) -> ValidationResult[pl.DataFrame]:
    result: ValidationResult[pl.DataFrame]
    path = Path(path)
    if parquet.is_parquet(path):
        rows = parquet.read_rows(path)
        result = dataset.validate_frame(rows, message_id=path.name, **settings)
    else:
        result = dataset.validate(read_file(path, what, MAX_SIZE), **settings)
    return result


# --- load ----------------------------------------------------------------------------------------


def load_telemetry(path: FileName, *, duid: str | None = None) -> Submission:
    """Load telemetry of NMIs or of one DUID.

    Args:
        path: JSON, NDJSON, Parquet, or a folder of Parquet files.
        duid: The DUID that is meant, where a file of DUID telemetry holds several.

    Raises:
        DocumentFault: If the form is rejected, or no row is of the DUID.
        SeveralDuidsError: If the rows are of several DUIDs, and none is named.
        ConfigError: If the file is not readable.
    """
    return _submission(Path(path), validate_telemetry(path), duid)


def load_forecast(path: FileName) -> Submission:
    """Load uncontrolled forecasts of NMIs; errors as in `load_telemetry`."""
    return _submission(Path(path), validate_forecast(path), None)


def load_dispatch(path: FileName, *, duid: str | None = None) -> Submission:
    """Load the dispatch instructions of one DUID; arguments and errors as in `load_telemetry`."""
    return _submission(Path(path), validate_dispatch(path), duid)


def require_schema_valid(result: ValidationResult[T]) -> T:
    """The value of a submission whose form is right.

    Raises:
        DocumentFault: If the form is rejected.
    """
    if result.value is None:
        result.raise_if_rejected()
        raise AssertionError
    return result.value


def select_duid(
    result: ValidationResult[pl.DataFrame], duid: str | None
) -> tuple[pl.DataFrame, str]:
    """The rows of one DUID, and its name.

    Raises:
        DocumentFault: If the form is rejected, or no row is of the DUID.
        SeveralDuidsError: If the rows are of several DUIDs, and none is named.
    """
    from oepnode.domain.edge.telemetry import duid as duids

    return duids.only(require_schema_valid(result), duid, result.what)


def _submission(path: Path, result: ValidationResult[pl.DataFrame], duid: str | None) -> Submission:
    with name_file(path):
        everything = require_schema_valid(result)
        if "duid" not in everything.columns:
            return Submission(path.name, everything, result.transaction)
        rows, named = select_duid(result, duid)
    others = everything.height - rows.height
    return Submission(path.name, rows, result.transaction, named, others)
