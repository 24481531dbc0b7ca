"""``oepnode convert``: an envelope document from any form to any other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oepnode.cli.common import edge_options as options
from oepnode.cli.common import output
from oepnode.cli.common.output import JsonFlag
from oepnode.client.conversion import ConvertedDocument, Form, Packing, convert_document
from oepnode.errors import ConfigError

SourceFile = Annotated[
    Path,
    typer.Argument(
        metavar="IN",
        help="JSON, NDJSON, CSV, plain, gzip or zstd; Parquet; or a manifest, with its parts in "
        "IN.parts.",
    ),
]
TargetFile = Annotated[
    Path,
    typer.Argument(metavar="OUT", help="File to write: .json, .ndjson, .csv, .parquet, .gz, .zst."),
]
FormOption = Annotated[
    Form | None, typer.Option("--to", help="Form to write; by default that of OUT's suffix.")
]
GzipOption = Annotated[bool, typer.Option("--gzip", help="Pack with gzip.")]
ZstdOption = Annotated[bool, typer.Option("--zstd", help="Pack with zstd.")]
PartSizeOption = Annotated[
    int | None,
    typer.Option(
        "--part-size",
        metavar="MB",
        min=1,
        help="Write parts of about this size to OUT.parts, and their manifest to OUT.",
    ),
]


def convert(
    source: SourceFile,
    target: TargetFile,
    to: FormOption = None,
    gzip: GzipOption = False,
    zstd: ZstdOption = False,
    part_size: PartSizeOption = None,
    profile: options.ProfileOption = "wide",
    import_sign: options.ImportSignOption = "canonical",
    as_json: JsonFlag = False,
) -> None:
    """Convert an envelope document: the same rows, the same root, another form.

    A document with a fault is rejected with exit code 1, and nothing is written.
    """
    converted = convert_document(
        source,
        target,
        to=to,
        packing=_packing(gzip, zstd),
        part_size=None if part_size is None else part_size << 20,
        feed=options.feed_of(profile, import_sign),
    )
    if as_json:
        output.print_json(converted)
    else:
        output.say(_line(converted), "green")


def _packing(gzip: bool, zstd: bool) -> Packing | None:
    if gzip and zstd:
        raise ConfigError("--gzip and --zstd exclude each other")
    if gzip:
        return "gzip"
    return "zstd" if zstd else None


def _line(converted: ConvertedDocument) -> str:
    parts = f" in {converted.parts} parts" if converted.parts else ""
    return f"{converted.rows} rows{parts}: {converted.file}, SHA-256 {converted.digest}"
