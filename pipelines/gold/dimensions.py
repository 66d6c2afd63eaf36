"""The tasks that make the dimensions: observe silver files, then build the versions of one bucket of keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from cluster.delta_sink import read_files, write_file
from cluster.storage import Storage
from pipelines.gold.versions import CUSTOMERS, PRODUCTS, Dimension, moved_months, observe, versions
from pipelines.refine import buckets_of
from pipelines.scratch import scan_scratch, write_scratch
from pipelines.tasks import Row
from warehouse_sql.tables.gold import FIRST_DAY, GUEST_ID, GUEST_KEY, LAST_DAY

DIMENSIONS = (CUSTOMERS, PRODUCTS)
OBSERVED = ["invoice_date", "is_sale", "customer_id", "country", "stock_code", "description"]


@dataclass(frozen=True)
class ObserveItem:
    """Silver files that one task observes, and where the observations of each bucket go."""

    uris: tuple[str, ...]
    scratch: str
    buckets: int


def observe_files(storage: Storage, item: ObserveItem) -> Row:
    """Count what silver lines say of customers and products.

    Args:
        storage: The lake.
        item: The files.

    Returns:
        `scratch`: dimension table → one scratch URI per bucket.
    """
    lines = read_files(storage, list(item.uris), OBSERVED)
    scratch: dict[str, list[str]] = {}
    for dimension in DIMENSIONS:
        seen = observe(lines, dimension)
        seen = seen.with_columns(buckets_of(seen["natural"], item.buckets))
        scratch[dimension.table] = [
            write_scratch(
                storage, f"{item.scratch}-{dimension.key}-{bucket}.arrow", seen.filter(pl.col("bucket") == bucket)
            )
            for bucket in range(item.buckets)
        ]
    return {"scratch": scratch}


@dataclass(frozen=True)
class VersionsItem:
    """One bucket of keys of one dimension.

    Attributes:
        dimension: Which one.
        bucket: Its number.
        buckets: How many there are.
        observed: Scratch files of the bucket.
        old_uris: Files of the dimension before; empty when there is none.
        name: Name of the file to write.
    """

    dimension: Dimension
    bucket: int
    buckets: int
    observed: tuple[str, ...]
    old_uris: tuple[str, ...]
    name: str


def build_versions(storage: Storage, item: VersionsItem) -> Row:
    """Make the rows of a dimension for one bucket of keys.

    Args:
        storage: The lake.
        item: The bucket.

    Returns:
        `file`: the file written; `changed`: whether its rows differ from before; `months`: months whose facts move.
    """
    dimension = item.dimension
    observations = pl.concat([scan_scratch(storage, uri) for uri in item.observed]).collect()
    new = versions(observations, dimension)
    if item.bucket == 0 and dimension.table == CUSTOMERS.table:
        new = pl.concat([_guest(), new])
    old = _old_rows(storage, item, new)
    changed = old.height != new.height or new.join(old, on=new.columns, how="anti", nulls_equal=True).height > 0
    return {
        "file": write_file(storage, dimension.table, item.name, new),
        "changed": changed,
        "months": moved_months(observations, old, new, dimension) if changed and item.old_uris else [],
    }


def _old_rows(storage: Storage, item: VersionsItem, like: pl.DataFrame) -> pl.DataFrame:
    if not item.old_uris:
        return like.clear()
    rows = read_files(storage, list(item.old_uris)).select(like.columns)
    buckets = buckets_of(rows[item.dimension.natural], item.buckets)
    is_guest = rows[item.dimension.key] == GUEST_KEY
    return rows.filter(((buckets == item.bucket) & ~is_guest) | (is_guest & (item.bucket == 0)))


def _guest() -> pl.DataFrame:
    """Give the reserved member for lines without a customer."""
    return pl.DataFrame(
        {
            "customer_key": pl.Series([GUEST_KEY], dtype=pl.Int64),
            "customer_id": [GUEST_ID],
            "country": ["Unspecified"],
            "valid_from": [FIRST_DAY],
            "valid_to": [LAST_DAY],
            "is_current": [True],
        }
    )


def dates(months: Sequence[str]) -> pl.DataFrame:
    """Make dim_date: every day of the years in which there are sales.

    Args:
        months: YYYY-MM, at least one.

    Returns:
        The rows of gold.dim_date.
    """
    years = sorted({int(month[:4]) for month in months})
    days = pl.concat(
        [
            pl.date_range(date(year, 1, 1), date(year, 12, 31), eager=True).alias("full_date").to_frame()
            for year in years
        ]
    )
    day = pl.col("full_date").dt
    return days.select(
        date_key=(day.year() * 10_000 + day.month().cast(pl.Int32) * 100 + day.day().cast(pl.Int32)).cast(pl.Int32),
        full_date="full_date",
        year=day.year().cast(pl.Int16),
        quarter=day.quarter().cast(pl.Int16),
        month=day.month().cast(pl.Int16),
        month_name=day.strftime("%B"),
        day=day.day().cast(pl.Int16),
        iso_year=day.iso_year().cast(pl.Int16),
        iso_week=day.week().cast(pl.Int16),
        iso_weekday=day.weekday().cast(pl.Int16),
        weekday_name=day.strftime("%A"),
        is_weekend=day.weekday() >= 6,
    )
