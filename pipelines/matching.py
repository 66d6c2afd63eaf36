"""The task that numbers equal lines and finds those that are already there, one bucket of invoices at a time.

Equal lines, and all lines of an invoice, fall into one bucket, so a bucket can be judged by itself. It returns counts
and leaves its exceptions (second occurrences, merged lines) in scratch; every other line is a first one and new.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from cluster.delta_sink import read_files
from cluster.storage import Storage
from pipelines.identity import HASH_BYTES, line_ids
from pipelines.refine import buckets_of
from pipelines.scratch import scan_scratch, write_scratch
from pipelines.tasks import Row

HALF = HASH_BYTES // 2
EXISTING = ("line_id", "invoice_key", "row_id", "batch_id")


@dataclass(frozen=True)
class Delivered:
    """The keys of a part that fall into a bucket.

    Attributes:
        part: Number of the part in the run.
        file: Rank of its file by sha256; of equal lines in several files the smallest (file, line) wins.
        batch_id: The batch that brought it.
        keys_uri: Scratch file with line_hash, invoice_key, row_number, row_id.
    """

    part: int
    file: int
    batch_id: str
    keys_uri: str


@dataclass(frozen=True)
class BucketItem:
    """What one matching task is given.

    Attributes:
        bucket: Its number.
        buckets: How many there are.
        delivered: Keys of all parts.
        silver_uris: Files of silver.retail_transactions in the months of the delivery.
        rejected_uris: Files of silver.rejected_lines.
        decisions_uri: Where the exceptions go.
    """

    bucket: int
    buckets: int
    delivered: tuple[Delivered, ...]
    silver_uris: tuple[str, ...]
    rejected_uris: tuple[str, ...]
    decisions_uri: str


def match_bucket(storage: Storage, item: BucketItem) -> Row:
    """Number and match the lines of a bucket.

    Args:
        storage: The lake.
        item: The bucket.

    Returns:
        `decisions`: scratch URI of the exceptions, one row per line that is not a first and new one: part, row_number,
        occurrence, merged, kept_row_id, kept_batch_id, possible_split, equal_lines_only.
    """
    lines = _delivered(storage, item.delivered)
    lines = lines.with_columns(occurrence=_occurrences(lines))
    lines = lines.with_columns(line_ids(lines["line_hash"], lines["occurrence"]).alias("line_id"))
    existing = _existing(storage, item)
    lines = _winners(lines, existing, {part.part: part.batch_id for part in item.delivered})
    decisions = _split_flags(lines, existing).filter(pl.col("merged") | (pl.col("occurrence") > 1))
    columns = ["part", "row_number", "occurrence", "merged", "kept_row_id", "kept_batch_id"]
    flags = ["possible_split", "equal_lines_only"]
    return {"decisions": write_scratch(storage, item.decisions_uri, decisions.select(*columns, *flags))}


def _delivered(storage: Storage, delivered: Sequence[Delivered]) -> pl.DataFrame:
    frames = [
        scan_scratch(storage, part.keys_uri).with_columns(
            part=pl.lit(part.part, pl.Int32), file=pl.lit(part.file, pl.Int32)
        )
        for part in delivered
    ]
    return pl.concat(frames).collect().sort("file", "row_number", maintain_order=True)


def _occurrences(lines: pl.DataFrame) -> pl.Series:
    """Count the n-th equal line of a file; only lines that are not alone need counting."""
    repeated = lines["line_hash"].is_duplicated()
    counted = lines.select("file", "line_hash").filter(repeated)
    numbers = counted.select(pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("file", "line_hash")).to_series()
    return (
        pl.Series("occurrence", [1], dtype=pl.Int64)
        .new_from_index(0, lines.height)
        .scatter(repeated.arg_true(), numbers)
    )


def _existing(storage: Storage, item: BucketItem) -> pl.DataFrame:
    """Read the ids of lines that are already there: accepted ones of the same months, and rejected ones."""
    frames = [pl.DataFrame(schema=dict(zip(EXISTING, (pl.Binary, *[pl.String] * 3), strict=True)))]
    for uris, invoice in ((item.silver_uris, "invoice_no"), (item.rejected_uris, "invoice_key")):
        for uri in uris:
            columns = ["line_id", invoice, "source_row_id", "batch_id"]
            read = read_files(storage, [uri], columns).select(
                "line_id", pl.col(invoice).alias("invoice_key"), pl.col("source_row_id").alias("row_id"), "batch_id"
            )
            frames.append(read.filter(buckets_of(read["invoice_key"], item.buckets) == item.bucket))
    return pl.concat(frames)


def _winners(lines: pl.DataFrame, existing: pl.DataFrame, batches: Mapping[int, str]) -> pl.DataFrame:
    """Find for each line the one that stays: the existing one, else the first of the run.

    Args:
        lines: Delivered lines in order of (file, row_number), with line_id.
        existing: Lines that are there.
        batches: Part → the batch that brought it.

    Returns:
        The lines with merged, kept_row_id, kept_batch_id (null for a line that stays itself).
    """
    parts, ids = list(batches), list(batches.values())
    first_batch_id = pl.col("first_part").replace_strict(parts, ids, return_dtype=pl.String)
    old = existing.select("line_id", old_row_id="row_id", old_batch_id="batch_id")
    first = pl.struct(first_row_id="row_id", first_part="part")
    if lines["line_id"].is_duplicated().any():
        first = first.first().over("line_id")
    return (
        lines.join(old, on="line_id", how="left", maintain_order="left")
        .with_columns(first.alias("first"))
        .unnest("first")
        .with_columns(
            merged=pl.col("old_row_id").is_not_null() | (pl.col("first_row_id") != pl.col("row_id")),
        )
        .with_columns(
            kept_row_id=pl.when("merged").then(pl.coalesce("old_row_id", "first_row_id")),
            kept_batch_id=pl.when("merged").then(pl.coalesce("old_batch_id", first_batch_id)),
        )
    )


def _split_flags(lines: pl.DataFrame, existing: pl.DataFrame) -> pl.DataFrame:
    """Flag merged lines that may be halves of a delivery cut between two equal lines.

    A file that re-delivers an invoice whole brings exactly the lines that are there. It is suspicious where it also
    brings new ones, or lacks some. An invoice of equal lines only looks the same either way.
    Refused lines without an invoice number make no invoice, so they are never flagged.
    """
    touched = lines.filter(pl.col("merged") & (pl.col("invoice_key") != "")).select(pl.col("invoice_key").unique())
    if touched.height == 0:
        none = pl.lit(value=False)
        return lines.with_columns(possible_split=none, equal_lines_only=none)
    mine = lines.join(touched, on="invoice_key", how="semi")
    kept = pl.concat(
        frame.select("invoice_key", "line_id")
        for frame in (mine.filter(~pl.col("merged")), existing.join(touched, on="invoice_key", how="semi"))
    )
    content = pl.col("line_id").bin.slice(0, HALF)  # an occurrence changes the lower half alone
    in_all = kept.group_by("invoice_key").agg(in_all=pl.len(), contents=content.n_unique())
    by_file = mine.group_by("file", "invoice_key").agg(in_file=pl.len(), brings_new=(~pl.col("merged")).any())
    flags = by_file.join(in_all, on="invoice_key").select(
        "file",
        "invoice_key",
        possible_split=pl.col("brings_new") | (pl.col("in_file") < pl.col("in_all")),
        equal_lines_only=pl.col("contents") == 1,
    )
    return lines.join(flags, on=["file", "invoice_key"], how="left", maintain_order="left").with_columns(
        pl.col("possible_split", "equal_lines_only").fill_null(value=False) & pl.col("merged")
    )
