"""Versions of a customer or product by day (SCD type 2), as pure functions; knows no file and no task."""

from dataclasses import dataclass

import polars as pl

from pipelines.identity import IDENTITY_VERSION, field_of, hash_fields, sale_keys
from warehouse_sql.tables.gold import FIRST_DAY, LAST_DAY

KEY = b"K"


@dataclass(frozen=True)
class Dimension:
    """A dimension with versions.

    Attributes:
        table: `gold.…`.
        key: Column of the surrogate key.
        natural: Column of the natural key, in silver and in the dimension.
        value: Column whose changes make versions, in silver and in the dimension.
    """

    table: str
    key: str
    natural: str
    value: str


CUSTOMERS = Dimension("gold.dim_customers", "customer_key", "customer_id", "country")
PRODUCTS = Dimension("gold.dim_products", "product_key", "stock_code", "description")


def observe(lines: pl.DataFrame, dimension: Dimension) -> pl.DataFrame:
    """Count what lines say of each key on each day.

    Args:
        lines: invoice_date, is_sale, and the dimension's natural key and value, one row per silver line.
        dimension: Which one.

    Returns:
        One row per (key, day, value): natural, day, value, sales (priced sale lines), others; null keys left out.
    """
    return (
        lines.filter(pl.col(dimension.natural).is_not_null())
        .group_by(
            natural=pl.col(dimension.natural), day=pl.col("invoice_date"), value=pl.col(dimension.value)
        )
        .agg(sales=pl.col("is_sale").sum().cast(pl.Int64), others=(~pl.col("is_sale")).sum().cast(pl.Int64))
    )  # fmt: skip


def versions(observations: pl.DataFrame, dimension: Dimension) -> pl.DataFrame:
    """Make the versions of each key from all its observations.

    The value of a day is the commonest non-empty one among its priced sale lines, ties in alphabetical order; equal
    neighbours are one version; the first is open to the past, the last to the future. A key without a priced sale that
    says anything takes its other lines; one that nothing is said of has one version without value.

    Args:
        observations: Rows of `observe`, in any order, several per (key, day, value) allowed.
        dimension: Which one.

    Returns:
        The dimension's rows, sorted by natural key and valid_from.
    """
    said = observations.filter(pl.col("value").is_not_null() & (pl.col("value") != ""))
    has_sale = (pl.col("sales").sum() > 0).over("natural")
    counted = said.with_columns(count=pl.when(has_sale).then("sales").otherwise("others")).filter(pl.col("count") > 0)
    days = (
        counted.group_by("natural", "day", "value")
        .agg(pl.col("count").sum())
        .sort("natural", "day", "count", "value", descending=[False, False, True, False])
        .unique(["natural", "day"], keep="first", maintain_order=True)
    )
    changes = days.filter((pl.col("value") != pl.col("value").shift(1).over("natural")).fill_null(value=True))
    silent = observations.select("natural").unique().join(days, on="natural", how="anti")
    changes = pl.concat(
        [changes.select("natural", "day", "value"), silent.with_columns(day=FIRST_DAY, value=pl.lit(None, pl.String))]
    ).sort("natural", "day")
    return _rows(changes, dimension)


def _rows(changes: pl.DataFrame, dimension: Dimension) -> pl.DataFrame:
    following = pl.col("day").shift(-1).over("natural")
    rows = changes.with_columns(
        valid_from=pl.when(pl.col("day").shift(1).over("natural").is_null()).then(FIRST_DAY).otherwise("day"),
        valid_to=(following - pl.duration(days=1)).fill_null(LAST_DAY),
        is_current=following.is_null(),
    )
    hashes = hash_fields([field_of(rows["natural"]), field_of(rows["valid_from"])], IDENTITY_VERSION + KEY)
    return rows.select(
        sale_keys(hashes).alias(dimension.key),
        pl.col("natural").alias(dimension.natural),
        pl.col("value").alias(dimension.value),
        "valid_from",
        "valid_to",
        "is_current",
    )


def moved_months(observations: pl.DataFrame, old: pl.DataFrame, new: pl.DataFrame, dimension: Dimension) -> list[str]:
    """Find the months whose facts point to another version than before.

    Args:
        observations: Every (natural, day) that has lines.
        old: The dimension's rows before; no rows when there were none.
        new: The dimension's rows now.
        dimension: Which one.

    Returns:
        Months, YYYY-MM, sorted.
    """
    bounds = [dimension.natural, dimension.key, "valid_from", "valid_to"]
    before, after = old.select(bounds), new.select(bounds)
    moved = pl.concat(
        [
            before.join(after, on=bounds, how="anti").select(dimension.natural),
            after.join(before, on=bounds, how="anti").select(dimension.natural),
        ]
    ).unique()
    days = observations.select("natural", "day").unique().rename({"natural": dimension.natural})
    days = days.join(moved, on=dimension.natural, how="semi").sort("day")
    keyed = days.with_columns(
        _key_at(days, before, dimension).alias("old"), _key_at(days, after, dimension).alias("new")
    )
    return sorted(keyed.filter(pl.col("old").ne_missing(pl.col("new")))["day"].dt.strftime("%Y-%m").unique())


def _key_at(days: pl.DataFrame, rows: pl.DataFrame, dimension: Dimension) -> pl.Series:
    return key_at(days.rename({"day": "invoice_date"}), rows, dimension)


def key_at(lines: pl.DataFrame, rows: pl.DataFrame, dimension: Dimension) -> pl.Series:
    """Find the version that is valid on each line's day.

    Args:
        lines: invoice_date and the natural key.
        rows: The dimension's rows.
        dimension: Which one.

    Returns:
        The surrogate key of each line, same order; null where the key has no version.
    """
    wanted = lines.select(dimension.natural, "invoice_date").with_row_index("place").sort("invoice_date")
    valid = rows.select(dimension.natural, dimension.key, "valid_from").sort("valid_from")
    found = wanted.join_asof(
        valid, left_on="invoice_date", right_on="valid_from", by=dimension.natural, check_sortedness=False
    )
    return found.sort("place")[dimension.key]
