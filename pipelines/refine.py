"""Bronze lines to judged lines, as pure functions on one batch; knows no file, no Ray and no line that is there.

Ray Data, a stream's micro-batch and a unit test run this very code.
"""

import zlib
from dataclasses import dataclass

import polars as pl

from cluster.settings import DateOrder
from pipelines.rules import is_sale, judge_errors, judge_warnings, line_types
from pipelines.typed import spread, typed_lines
from warehouse_sql.tables.bronze import SOURCE_COLUMNS
from warehouse_sql.tables.silver import MONTH

KEPT = ("row_id", "row_number", "file_name", "batch_id", "ingested_at")
"""Columns of bronze that go with a line."""


@dataclass(frozen=True)
class Refined:
    """The lines of a batch, judged.

    Attributes:
        accepted: One row per accepted line: the business columns of silver.retail_transactions that the line shows by
            itself, warnings (Int32 mask), line_hash (16 bytes), invoice_key and `KEPT`.
        rejected: One row per refused line: `SOURCE_COLUMNS` as received, errors (Int32 mask), amount (null where price
            or quantity do not parse), line_hash, invoice_key and `KEPT`.
        only_day_first: Lines whose date fits that order alone.
        only_month_first: Lines whose date fits that order alone.
        slash_dates: Lines whose date is written in either order.
    """

    accepted: pl.DataFrame
    rejected: pl.DataFrame
    only_day_first: int
    only_month_first: int
    slash_dates: int


def refine_batch(batch: pl.DataFrame, date_order: DateOrder, zone: str) -> Refined:
    """Type, standardise and judge a batch of bronze lines.

    Args:
        batch: Columns of bronze.sales_lines, one row per line, any number of rows in any order.
        date_order: How 12/1/2010 is read.
        zone: IANA zone of the shop, in which `future_date` is judged.

    Returns:
        The accepted and the rejected lines.
    """
    lines = typed_lines(batch, date_order)
    ingested_local = batch["ingested_at"].dt.convert_time_zone(zone).dt.replace_time_zone(None)
    lines = lines.with_columns(batch[name] for name in KEPT).with_columns(
        ingested_local=ingested_local, invoice_key=pl.col("invoice_no").fill_null("")
    )
    lines = lines.with_columns(judge_errors(lines))
    refused = (lines["errors"] != 0).arg_true()
    rejected = lines.select("line_hash", "invoice_key", "errors", "amount", *KEPT).select(pl.all().gather(refused))
    cells = batch.select(
        pl.col(name) if name in batch.columns else pl.lit(None, pl.String).alias(name) for name in SOURCE_COLUMNS
    )
    rejected = rejected.hstack(cells.select(pl.all().gather(refused)))
    accepted = lines.filter(pl.col("errors") == 0) if len(refused) else lines
    orders = (int(lines[name].sum()) for name in ("only_day_first", "only_month_first", "is_slash_date"))
    return Refined(_accepted(accepted), rejected, *orders)


def _accepted(lines: pl.DataFrame) -> pl.DataFrame:
    lines = lines.with_columns(judge_warnings(lines))
    return lines.select(
        "line_hash",
        "invoice_key",
        "invoice_no",
        "stock_code",
        "description",
        "quantity",
        "invoice_ts",
        pl.col("invoice_ts").dt.date().alias("invoice_date"),
        pl.col("unit_price").cast(pl.Decimal(12, 4)),
        pl.col("amount").cast(pl.Decimal(14, 4)).alias("total_amount"),
        pl.col("discount_amount").cast(pl.Decimal(14, 4)),
        "customer_id",
        "country",
        line_types().alias("line_type"),
        is_sale().alias("is_sale"),
        (pl.col("quantity") < 0).alias("is_return"),
        "warnings",
        *KEPT,
        pl.col("invoice_ts").dt.strftime("%Y-%m").alias(MONTH),
    )


def buckets_of(invoices: pl.Series, buckets: int) -> pl.Series:
    """Spread invoices over buckets, the same way in every process.

    Args:
        invoices: Invoice numbers; equal lines and all lines of an invoice fall into one bucket.
        buckets: How many.

    Returns:
        `bucket`, Int32 from 0.
    """
    if buckets == 1:
        return pl.Series("bucket", [0], dtype=pl.Int32).new_from_index(0, len(invoices))
    numbered = spread(
        invoices,
        lambda distinct: pl.DataFrame(
            {"bucket": pl.Series([zlib.crc32(invoice.encode()) % buckets for invoice in distinct], dtype=pl.Int32)}
        ),
    )
    return numbered["bucket"]
