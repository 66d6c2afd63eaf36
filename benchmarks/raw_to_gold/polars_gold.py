"""The gold half of the hand-written script: dimensions with versions by day, and facts. It imports no platform."""

import hashlib
from datetime import date
from pathlib import Path

import polars as pl
from deltalake import write_deltalake

FACT = [
    "sale_key", "line_id", "invoice_no", "invoice_date", "invoice_ts", "date_key", "customer_key", "product_key",
    "country_key", "country", "quantity", "unit_price", "total_amount", "discount_amount", "line_type", "is_sale",
    "is_return", "data_quality_score", "batch_id", "source_row_id", "created_at", "invoice_month",
]  # fmt: skip
FIRST, LAST = date(1, 1, 1), date(9999, 12, 31)


def save(frame: pl.DataFrame, out: Path, table: str, partition: list[str] | None = None) -> None:
    arrow = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    write_deltalake(str(out / table), arrow, mode="append", partition_by=partition)


def surrogate(frame: pl.DataFrame, natural: str) -> pl.Series:
    keys = []
    for name, day in frame.select(natural, pl.col("valid_from").cast(pl.String)).iter_rows():
        data = f"{len(name.encode())}:{name}{len(day)}:{day}".encode()
        keys.append(int.from_bytes(hashlib.blake2b(b"\x01K" + data, digest_size=16).digest()[8:]) & (2**63 - 1))
    return pl.Series("key", keys, dtype=pl.Int64)


def versions(lines: pl.DataFrame, natural: str, value: str, key: str) -> pl.DataFrame:
    seen = lines.filter(pl.col(natural).is_not_null()).group_by(natural, "invoice_date", value).agg(
        sales=pl.col("is_sale").sum(), others=(~pl.col("is_sale")).sum()
    )  # fmt: skip
    said = seen.filter(pl.col(value).is_not_null())
    has_sale = (pl.col("sales").sum() > 0).over(natural)
    days = (
        said.with_columns(n=pl.when(has_sale).then("sales").otherwise("others")).filter(pl.col("n") > 0)
        .sort(natural, "invoice_date", "n", value, descending=[False, False, True, False])
        .unique([natural, "invoice_date"], keep="first", maintain_order=True)
    )  # fmt: skip
    changes = days.filter((pl.col(value) != pl.col(value).shift(1).over(natural)).fill_null(value=True))
    silent = seen.select(natural).unique().join(days, on=natural, how="anti")
    changes = pl.concat([
        changes.select(natural, "invoice_date", value),
        silent.with_columns(pl.lit(FIRST).alias("invoice_date"), pl.lit(None, pl.String).alias(value)),
    ]).sort(natural, "invoice_date")  # fmt: skip
    following = pl.col("invoice_date").shift(-1).over(natural)
    rows = changes.with_columns(
        valid_from=pl.when(pl.col("invoice_date").shift(1).over(natural).is_null()).then(FIRST)
        .otherwise("invoice_date"),
        valid_to=(following - pl.duration(days=1)).fill_null(LAST),
        is_current=following.is_null(),
    )  # fmt: skip
    rows = rows.with_columns(surrogate(rows, natural).alias(key))
    return rows.select(key, natural, value, "valid_from", "valid_to", "is_current")


def dates(lines: pl.DataFrame) -> pl.DataFrame:
    years = lines["invoice_date"].dt.year().unique().sort().to_list()
    days = pl.concat([pl.date_range(date(year, 1, 1), date(year, 12, 31), eager=True) for year in years])
    day = pl.col("full_date").dt
    return days.alias("full_date").to_frame().select(
        date_key=(day.year() * 10_000 + day.month().cast(pl.Int32) * 100 + day.day()).cast(pl.Int32),
        full_date="full_date", year=day.year().cast(pl.Int16), quarter=day.quarter().cast(pl.Int16),
        month=day.month().cast(pl.Int16), month_name=day.strftime("%B"), day=day.day().cast(pl.Int16),
        iso_year=day.iso_year().cast(pl.Int16), iso_week=day.week().cast(pl.Int16),
        iso_weekday=day.weekday().cast(pl.Int16), weekday_name=day.strftime("%A"), is_weekend=day.weekday() >= 6,
    )  # fmt: skip


def key_at(lines: pl.DataFrame, rows: pl.DataFrame, natural: str, key: str) -> pl.Series:
    wanted = lines.select(natural, "invoice_date").with_row_index("place").sort("invoice_date")
    valid = rows.select(natural, key, "valid_from").sort("valid_from")
    found = wanted.join_asof(valid, left_on="invoice_date", right_on="valid_from", by=natural, check_sortedness=False)
    return found.sort("place")[key]


def save_gold(silver: pl.DataFrame, members: pl.DataFrame, out: Path) -> None:
    customers = versions(silver, "customer_id", "country", "customer_key")
    guest = pl.DataFrame([(-1, "GUEST", "Unspecified", FIRST, LAST, True)], schema=customers.schema, orient="row")
    products = versions(silver, "stock_code", "description", "product_key")
    save(dates(silver), out, "gold/dim_date")
    codes = [pl.when(pl.col(code) != "").then(pl.col(code)).alias(code) for code in ("iso_alpha2", "iso_alpha3")]
    save(members.drop("aliases").with_columns(codes), out, "gold/dim_country")
    save(pl.concat([guest, customers]), out, "gold/dim_customers")
    save(products, out, "gold/dim_products")
    day = pl.col("invoice_date").dt
    facts = silver.with_columns(
        key_at(silver, customers, "customer_id", "customer_key").fill_null(-1).alias("customer_key"),
        key_at(silver, products, "stock_code", "product_key").alias("product_key"),
        (day.year() * 10_000 + day.month().cast(pl.Int32) * 100 + day.day()).cast(pl.Int32).alias("date_key"),
        pl.col("ingested_at").alias("created_at"),
    ).join(
        members.select("country", "country_key"), on="country", how="left", maintain_order="left"
    )  # fmt: skip
    save(facts.select(FACT), out, "gold/fact_sales", ["invoice_month"])
