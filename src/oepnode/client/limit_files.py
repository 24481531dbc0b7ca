"""Limits of a bundle of any size, written to a file block by block.

Guarantees: the file has the rows of `bundle_limits` in their order, and appears only once the
bundle has verified, and has verified again while it was written. Source: ``docs/aggregators.md``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from oepnode.client.bundle_files import open_bundle
from oepnode.client.bundles import MAX_BYTES, BundleCheck, Verified, unseal_partition
from oepnode.client.files import FileName, writing
from oepnode.client.keys import KeyPair, aggregator_key
from oepnode.client.limits import limits_frame
from oepnode.domain.rounds.site_blocks import SiteBlock

if TYPE_CHECKING:
    import polars as pl

LIMIT_FORMATS: Final = ("csv", "json", "parquet")


def write_bundle_limits(
    check: BundleCheck[Verified],
    file: FileName,
    key: FileName | KeyPair,
    out: FileName,
    format_: str,
    max_bytes: int = MAX_BYTES,
) -> None:
    """Write the limits of a bundle that was checked, which is read once more.

    Args:
        check: Its check, which passed; in a blind round with the token list.
        file: The bundle, a regular file.
        key: The aggregator's key pair, or its file.
        out: The file to write, mode 0600.
        format_: One of `LIMIT_FORMATS`.
        max_bytes: Largest bundle that is read, in bytes.

    Raises:
        BundleError: If it does not verify.
        ConfigError: If a file cannot be read or written.
    """
    begin = check.verified.horizon_start
    with writing(Path(out)) as target:
        writer = _Writer(target, format_)

        def add(block: SiteBlock) -> None:
            nmis = check.nmis[block.first : block.first + len(block)]
            writer.add(limits_frame(nmis, block.levels, block.limits, begin))

        with open_bundle(file, max_bytes) as sealed:
            unseal_partition(sealed.pieces, aggregator_key(key), check.final, add)
        writer.finish()


class _Writer:
    """Writes frames of one form one after the other."""

    def __init__(self, file: BinaryIO, format_: str) -> None:
        self._file = file
        self._is_first = True
        self._add: Callable[[pl.DataFrame], None] = {
            "csv": self._add_csv,
            "json": self._add_json,
            "parquet": self._add_parquet,
        }[format_]
        self._finish: Callable[[], object] = lambda: None

    def add(self, frame: pl.DataFrame) -> None:
        """Write a frame."""
        self._add(frame)
        self._is_first = False

    def finish(self) -> None:
        """Write the end."""
        self._finish()

    def _add_csv(self, frame: pl.DataFrame) -> None:
        self._file.write(frame.write_csv(include_header=self._is_first).encode())

    def _add_json(self, frame: pl.DataFrame) -> None:
        self._finish = lambda: self._file.write(b"]\n")
        rows = frame.write_json()[1:-1].encode()
        self._file.write((b"[" if self._is_first else b",") + rows)

    def _add_parquet(self, frame: pl.DataFrame) -> None:
        import pyarrow.parquet as pq

        table = frame.to_arrow()
        if self._is_first:
            self._parquet = pq.ParquetWriter(self._file, table.schema, compression="zstd")
            self._finish = self._parquet.close
        self._parquet.write_table(table)
