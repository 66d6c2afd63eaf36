"""The task of bronze: one part of one file to Parquet, cells verbatim, and refined on the way; it commits nothing."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

import polars as pl

from cluster.delta_sink import WrittenFile, read_files, write_file
from cluster.settings import DateOrder, Settings
from cluster.storage import Storage
from pipelines.refine import buckets_of, refine_batch
from pipelines.scratch import write_scratch
from pipelines.sources import READERS, suffix_of
from pipelines.sources.reader import Inspection, Part
from pipelines.tasks import Row
from warehouse_sql.tables.bronze import DEAD_LETTERS, SALES_LINES
from warehouse_sql.tables.silver import MONTH

ROW_ID_DIGITS = 16
"""Hex digits of the file's sha256 in a row id."""


@dataclass(frozen=True)
class FileRead:
    """A file that is being read, as its tasks need to know it.

    Attributes:
        uri: The file.
        name: Its name without folder.
        sha256: Of its delivered bytes.
        size_bytes: Delivered bytes.
        header_text: Header line as received.
        header: Its cells.
        columns: The bronze column of each cell.
        parts: Where it is cut.
        batch_id: The run.
        source_system: Where it comes from.
        date_order: How 12/1/2010 is read.
        ingested_at: When the run looked at it.
    """

    uri: str
    name: str
    sha256: str
    size_bytes: int
    header_text: str
    header: tuple[str, ...]
    columns: tuple[str, ...]
    parts: tuple[Part, ...]
    batch_id: str
    source_system: str
    date_order: DateOrder
    ingested_at: datetime

    @classmethod
    def of(cls, file: Inspection, columns: tuple[str, ...], batch_id: str, settings: Settings, now: datetime) -> Self:
        """Make it from an inspection that refused nothing."""
        return cls(
            file.uri, file.name, file.sha256, file.size_bytes, file.header_text, file.header, columns, file.parts,
            batch_id, settings.source_system, settings.date_order, now,
        )  # fmt: skip

    def as_row(self, parts: Sequence["RefinedPart"]) -> dict[str, Any]:
        """Give the row of bronze.files of a file that was ingested."""
        own = [part for part in parts if part.file_sha256 == self.sha256]
        lines, dead = sum(part.lines for part in own), sum(part.dead_letters for part in own)
        alias_map = json.dumps(dict(zip(self.header, self.columns, strict=True)), ensure_ascii=False)
        return {
            "file_sha256": self.sha256, "file_name": self.name, "batch_id": self.batch_id,
            "source_system": self.source_system, "ingested_at": self.ingested_at, "size_bytes": self.size_bytes,
            "header": self.header_text, "alias_map": alias_map, "date_order": self.date_order,
            "line_count": lines, "dead_letter_count": dead, "outcome": "ingested", "reason": None,
        }  # fmt: skip


@dataclass(frozen=True)
class PartItem:
    """What one bronze task is given; `buckets` 0 keeps no refined lines."""

    file: FileRead
    part: Part
    number: int
    buckets: int


@dataclass(frozen=True)
class RefinedPart:
    """What one task has read and refined; small, it travels to the driver.

    Attributes:
        name: Distinct name, the same when the task is repeated.
        file_sha256: The file it comes from.
        batch_id: The run that ingested it.
        lines: Lines read.
        amount: Money of the lines whose quantity and price parse.
        dead_letters: Lines that could not be split.
        only_day_first: Dates that fit that order alone.
        only_month_first: Dates that fit that order alone.
        slash_dates: Dates that are written in an order at all.
        months: Months of the accepted lines.
        scratch: Scratch URI of accepted and rejected lines, then of the keys of each bucket; empty when not kept.
        written: The bronze Parquet file.
        written_dead: The Parquet file of dead letters.
    """

    name: str
    file_sha256: str
    batch_id: str
    lines: int
    amount: Decimal
    dead_letters: int = 0
    only_day_first: int = 0
    only_month_first: int = 0
    slash_dates: int = 0
    months: tuple[str, ...] = ()
    scratch: tuple[str, ...] = ()
    written: WrittenFile | None = None
    written_dead: WrittenFile | None = None


def read_part(storage: Storage, settings: Settings, item: PartItem) -> Row:
    """Read, keep verbatim and refine one part.

    Args:
        storage: The lake.
        settings: Zone and rows per batch.
        item: The part.

    Returns:
        `part`: the fields of its `RefinedPart`.
    """
    file = item.file
    cells = READERS[suffix_of(file.uri) or ""].read(storage, item.part, len(file.columns))
    lines = _bronze_lines(file, cells.frame)
    name = f"{file.sha256[:ROW_ID_DIGITS]}-{item.number:05}"
    target = RefineTarget(name, item.buckets, file.batch_id)
    facts: dict[str, Any] = refine_part(storage, settings, lines, file.date_order, target)
    facts |= {"file_sha256": file.sha256, "batch_id": file.batch_id, "dead_letters": len(cells.dead)}
    if lines.height:
        partition = {"batch_id": file.batch_id}
        facts["written"] = write_file(storage, SALES_LINES, name, lines.drop("batch_id"), partition)
    if cells.dead:
        facts["written_dead"] = write_file(
            storage, DEAD_LETTERS, f"{file.batch_id}-{name}", _dead_letters(file, cells.dead)
        )
    return {"part": facts}


def refine_bronze_file(storage: Storage, settings: Settings, item: dict[str, Any]) -> Row:
    """Refine one Parquet file of bronze, which holds lines of one source file.

    Args:
        storage: The lake.
        settings: Zone and rows per batch.
        item: uri, batch_id (of the partition), date_orders (sha256 → order), buckets, run_id.

    Returns:
        `part`: the fields of its `RefinedPart`.
    """
    lines = read_files(storage, [item["uri"]]).with_columns(batch_id=pl.lit(item["batch_id"]))
    sha256 = lines["file_sha256"][0]
    name = item["uri"].rpartition("/")[2].removesuffix(".parquet")
    target = RefineTarget(name, item["buckets"], item["run_id"])
    facts = refine_part(storage, settings, lines, item["date_orders"][sha256], target)
    return {"part": facts | {"file_sha256": sha256, "batch_id": item["batch_id"]}}


@dataclass(frozen=True)
class RefineTarget:
    """Where refined lines go: name of the part, buckets of its keys (0 keeps nothing), run whose scratch it is."""

    name: str
    buckets: int
    run_id: str


def refine_part(
    storage: Storage, settings: Settings, lines: pl.DataFrame, order: DateOrder, target: RefineTarget
) -> dict[str, Any]:
    """Refine bronze lines of one file, batch by batch, and keep them in scratch for silver.

    Args:
        storage: The lake.
        settings: Zone and rows per batch.
        lines: Columns of bronze.sales_lines.
        order: The file's date order.
        target: Where the refined lines go.

    Returns:
        Fields of `RefinedPart`.
    """
    slices = lines.iter_slices(settings.batch_rows)
    batches = [refine_batch(batch, order, settings.time_zone) for batch in slices]
    accepted = pl.concat([batch.accepted for batch in batches]) if batches else pl.DataFrame()
    rejected = pl.concat([batch.rejected for batch in batches]) if batches else pl.DataFrame()
    facts: dict[str, Any] = {
        "name": target.name,
        "lines": lines.height,
        "amount": _amount(accepted, "total_amount") + _amount(rejected, "amount"),
        "only_day_first": sum(batch.only_day_first for batch in batches),
        "only_month_first": sum(batch.only_month_first for batch in batches),
        "slash_dates": sum(batch.slash_dates for batch in batches),
    }
    if target.buckets and batches:
        folder = f"{storage.scratch_uri(target.run_id)}/{target.name}"
        uris = [write_scratch(storage, f"{folder}/accepted.arrow", accepted)]
        uris.append(write_scratch(storage, f"{folder}/rejected.arrow", rejected))
        keys = line_keys(accepted, rejected, target.buckets)
        for bucket in range(target.buckets):
            own = keys.filter(pl.col("bucket") == bucket)
            uris.append(write_scratch(storage, f"{folder}/keys-{bucket}.arrow", own.drop("bucket")))
        facts |= {"scratch": tuple(uris), "months": tuple(sorted(accepted[MONTH].unique()))}
    return facts


def line_keys(accepted: pl.DataFrame, rejected: pl.DataFrame, buckets: int) -> pl.DataFrame:
    """Give what matching needs of each line.

    Args:
        accepted: As `Refined.accepted`.
        rejected: As `Refined.rejected`.
        buckets: How many.

    Returns:
        One row per line: line_hash, invoice_key, row_number, row_id, bucket.
    """
    columns = ["line_hash", "invoice_key", "row_number", "row_id"]
    keys = pl.concat([accepted.select(columns), rejected.select(columns)])
    return keys.with_columns(buckets_of(keys["invoice_key"], buckets))


def _amount(frame: pl.DataFrame, column: str) -> Decimal:
    return Decimal(frame[column].sum() or 0) if frame.height else Decimal(0)


def _bronze_lines(file: FileRead, cells: pl.DataFrame) -> pl.DataFrame:
    named = {str(place): column for place, column in enumerate(file.columns)}
    return cells.rename(named).with_columns(
        row_id=pl.lit(file.sha256[:ROW_ID_DIGITS] + ":") + pl.col("row_number").cast(pl.String),
        source_system=pl.lit(file.source_system),
        batch_id=pl.lit(file.batch_id),
        file_name=pl.lit(file.name),
        file_sha256=pl.lit(file.sha256),
        ingested_at=pl.lit(file.ingested_at, pl.Datetime("us", "UTC")),
    )


def _dead_letters(file: FileRead, dead: Sequence[Any]) -> pl.DataFrame:
    return pl.DataFrame([line.as_dict() for line in dead], schema_overrides={"row_number": pl.Int64}).with_columns(
        file_sha256=pl.lit(file.sha256),
        file_name=pl.lit(file.name),
        batch_id=pl.lit(file.batch_id),
        ingested_at=pl.lit(file.ingested_at, pl.Datetime("us", "UTC")),
    )
