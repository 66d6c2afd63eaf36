"""Reads Spark's event log for skew, and makes lines of which one customer and one invoice each have 30 %."""

import json
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl

LINES = 60_000
PARTS = 12
PRODUCTS = 1_000
CUSTOMERS = 2_000
FIRST = date(2010, 1, 1)
FOREVER = date(9999, 12, 31)

SCALED = {
    "spark.sql.files.minPartitionNum": "12",
    "spark.sql.adaptive.coalescePartitions.initialPartitionNum": "20",
    "spark.sql.adaptive.coalescePartitions.parallelismFirst": "false",
    "spark.sql.adaptive.coalescePartitions.minPartitionSize": "4k",
    "spark.sql.adaptive.advisoryPartitionSizeInBytes": "32k",
    "spark.sql.adaptive.skewJoin.skewedPartitionThresholdInBytes": "128k",
    "spark.sql.autoBroadcastJoinThreshold": "3k",
}
"""Spark's own sizes, a thousandth of each or less, as the lines are of a large join: with its defaults all of it
would be one task, and no skew could be seen."""


def skewed_lines() -> pl.DataFrame:
    """Lines of silver: 0–30 % are one customer's, 30–60 % one invoice's, the others are spread."""
    random = np.random.default_rng(4)
    number = np.arange(LINES)
    of_customer, of_invoice = number < 0.3 * LINES, (number >= 0.3 * LINES) & (number < 0.6 * LINES)
    customer = np.where(of_customer, 0, np.where(of_invoice, 1, random.integers(2, CUSTOMERS, LINES)))
    invoice = np.where(of_invoice, 0, 1 + number // 12)
    day = np.where(of_invoice, 100, (invoice * 7) % 700)
    frame = pl.DataFrame(
        {"number": number, "customer": customer, "invoice": invoice, "day": day, "sold": random.integers(1, 9, LINES)}
    ).with_columns(product=pl.Series(random.zipf(1.3, LINES) % PRODUCTS))
    at = pl.lit(FIRST) + pl.duration(days=pl.col("day"))
    money = pl.col("sold").cast(pl.Decimal(20, 4))
    return frame.select(
        line_id=pl.col("number").cast(pl.String).str.pad_start(32, "0").cast(pl.Binary),
        invoice_no=pl.col("invoice").cast(pl.String),
        stock_code=pl.col("product").cast(pl.String).str.pad_start(5, "0"),
        customer_id=pl.col("customer").cast(pl.String),
        invoice_date=at.cast(pl.Date),
        invoice_ts=at.cast(pl.Datetime("us")),
        country=pl.lit("France"),
        quantity=pl.col("sold").cast(pl.Int32),
        unit_price=pl.lit(Decimal(1), pl.Decimal(18, 4)),
        total_amount=money,
        discount_amount=pl.lit(Decimal(0), pl.Decimal(20, 4)),
        line_type=pl.lit("sale"),
        is_sale=pl.lit(value=True),
        is_return=pl.lit(value=False),
        data_quality_score=pl.lit(100, pl.Int16),
        batch_id=pl.lit("b"),
        source_row_id=pl.col("number"),
        ingested_at=pl.lit(datetime(2012, 1, 1, tzinfo=UTC)),
        customer_key=pl.col("customer").cast(pl.Int64) + 1,
        product_key=pl.col("product").cast(pl.Int64) + 1,
    ).sample(fraction=1, shuffle=True, seed=4)


def dimensions() -> dict[str, pl.DataFrame]:
    """The dimensions of those lines."""
    always = {"valid_from": pl.lit(FIRST), "valid_to": pl.lit(FOREVER)}
    keys = {"customers": CUSTOMERS, "products": PRODUCTS}
    numbers = {name: pl.DataFrame({"key": range(1, 1 + size)}, schema={"key": pl.Int64}) for name, size in keys.items()}
    text = (pl.col("key") - 1).cast(pl.String)
    days = [FIRST + timedelta(days=day) for day in range(800)]
    return {
        "dim_customers": numbers["customers"].select(customer_key="key", customer_id=text, **always),
        "dim_products": numbers["products"].select(
            product_key="key", stock_code=text.str.pad_start(5, "0"), **always
        ),
        "dim_date": pl.DataFrame({"full_date": days, "date_key": range(len(days))}),
        "dim_country": pl.DataFrame({"country": ["France"], "country_key": [1]}),
    }  # fmt: skip


def shuffle_records(folder: Path) -> dict[int, list[int]]:
    """Give, for every stage in a folder of event logs, the shuffled records that each of its tasks read."""
    tasks: dict[int, list[int]] = defaultdict(list)
    for path in folder.iterdir():
        for line in path.read_text(encoding="utf-8").splitlines():
            event = json.loads(line)
            if event["Event"] == "SparkListenerTaskEnd" and event["Task End Reason"]["Reason"] == "Success":
                read = event["Task Metrics"]["Shuffle Read Metrics"]
                tasks[event["Stage ID"]].append(read["Total Records Read"])
    return {stage: records for stage, records in tasks.items() if sum(records)}


def count_events(folder: Path, name: str) -> int:
    """Count the events whose name ends so."""
    lines = (line for path in folder.iterdir() for line in path.read_text(encoding="utf-8").splitlines())
    return sum(f'{name}","' in line[:120] for line in lines)


def largest_over_median(tasks: list[int]) -> float:
    """Give the records of the largest task over those of the median one."""
    return max(tasks) / (median(tasks) or 1)
