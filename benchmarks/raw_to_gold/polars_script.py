"""The opponent: one process, hand-written Polars, the same Delta tables. It imports nothing of the platform.

`python -m benchmarks.raw_to_gold.polars_script OUT COUNTRIES.csv FILE...` prints the seconds of its work after imports.
It assumes what this input has: the eight columns, ISO times, regular lines; it does evaluate the rules.
"""

import hashlib
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl
from deltalake import write_deltalake

COLUMNS = [
    "invoice_no",
    "stock_code",
    "description",
    "quantity",
    "invoice_date",
    "unit_price",
    "customer_id",
    "country",
]
FEES = ["POST", "DOT", "C2", "C3", "M", "BANK CHARGES", "AMAZONFEE", "CRUK", "S", "B", "ADJUST", "ADJUST2"]
HASHED = ["invoice_no", "stock_code", "description", "quantity", "unit_price", "invoice_ts", "customer_id", "known"]
SILVER = [
    "line_id", "occurrence", "invoice_no", "stock_code", "description", "quantity", "invoice_ts", "invoice_date",
    "unit_price", "total_amount", "discount_amount", "customer_id", "country", "line_type", "is_sale", "is_return",
    "data_quality_score", "validation_errors", "source_row_id", "batch_id", "ingested_at", "invoice_month",
]  # fmt: skip
FACT = [
    "sale_key", "line_id", "invoice_no", "invoice_date", "invoice_ts", "date_key", "customer_key", "product_key",
    "country_key", "country", "quantity", "unit_price", "total_amount", "discount_amount", "line_type", "is_sale",
    "is_return", "data_quality_score", "batch_id", "source_row_id", "created_at", "invoice_month",
]  # fmt: skip
FIRST, LAST = date(1, 1, 1), date(9999, 12, 31)


def save(frame: pl.DataFrame, out: Path, table: str, partition: list[str] | None = None) -> None:
    arrow = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    write_deltalake(str(out / table), arrow, mode="append", partition_by=partition)


def bronze(file: Path, now: datetime) -> pl.DataFrame:
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    frame = pl.read_csv(file, infer_schema=False, empty_string_is_null=False, new_columns=COLUMNS)
    return frame.with_row_index("row_number", offset=2).with_columns(
        pl.col("row_number").cast(pl.Int64),
        row_id=pl.lit(sha256[:16] + ":") + pl.col("row_number").cast(pl.String),
        source_system=pl.lit("files"),
        batch_id=pl.lit("bench"),
        file_name=pl.lit(file.name),
        file_sha256=pl.lit(sha256),
        ingested_at=pl.lit(now, pl.Datetime("us", "UTC")),
    )


def text(column: str) -> pl.Expr:
    return pl.col(column).str.replace_all(r"\s+", " ").str.strip_chars()


def typed(lines: pl.DataFrame, lookup: pl.DataFrame) -> pl.DataFrame:
    invoice, code, quantity, price = (pl.col(name) for name in ("invoice_no", "stock_code", "quantity", "unit_price"))
    customer = pl.col("customer_id").str.strip_chars().str.replace(r"^(\d+)\.0+$", "$1")
    lines = lines.with_columns(
        invoice_no=invoice.str.strip_chars().str.to_uppercase(),
        code_changed=text("stock_code").str.to_uppercase() != code,
        stock_code=text("stock_code").str.to_uppercase(),
        description=pl.when(text("description") != "").then(text("description")),
        quantity=quantity.str.strip_chars().cast(pl.Int64, strict=False),
        invoice_ts=pl.col("invoice_date").str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False),
        unit_price=price.str.strip_chars().cast(pl.Decimal(38, 4), strict=False),
        price_rounded=price.str.contains(r"\.\d{5,}"),
        customer_id=pl.when(customer != "").then(customer),
        spelling=text("country").str.to_lowercase(),
    )
    lines = lines.join(lookup, on="spelling", how="left", maintain_order="left")
    return lines.with_columns(total_amount=quantity * price)


def judged(lines: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    invoice, quantity, price = pl.col("invoice_no"), pl.col("quantity"), pl.col("unit_price")
    adjustment = invoice.str.starts_with("A")
    errors = {
        "missing_invoice": invoice == "", "missing_stock_code": pl.col("stock_code") == "",
        "bad_quantity": quantity.is_null(), "zero_quantity": quantity == 0, "bad_date": pl.col("invoice_ts").is_null(),
        "bad_price": price.is_null(), "negative_price": (price < 0) & ~adjustment,
        "out_of_range": (quantity.abs() > 10**6) | (price.abs() >= 10**8) | (pl.col("total_amount").abs() >= 10**10),
    }  # fmt: skip
    lines = lines.with_columns(refused=pl.any_horizontal(errors.values()).fill_null(value=True))
    rejected = lines.filter("refused")
    cancelled = invoice.str.starts_with("C")
    lines = lines.filter(~pl.col("refused")).with_columns(
        line_type=pl.when(adjustment).then(pl.lit("adjustment"))
        .when(pl.col("stock_code") == "D").then(pl.lit("discount"))
        .when(pl.col("stock_code").is_in(FEES)).then(pl.lit("fee"))
        .when((quantity < 0) & (price == 0)).then(pl.lit("write_off"))
        .when(cancelled | (quantity < 0)).then(pl.lit("return")).otherwise(pl.lit("sale")),
        is_sale=~cancelled & (quantity > 0) & (price > 0),
        is_return=quantity < 0,
        invoice_month=pl.col("invoice_ts").dt.strftime("%Y-%m"),
        invoice_date=pl.col("invoice_ts").dt.date(),
        unit_price=price.cast(pl.Decimal(12, 4)),
        total_amount=pl.col("total_amount").cast(pl.Decimal(14, 4)),
        discount_amount=pl.lit(None, pl.Decimal(14, 4)),
    )  # fmt: skip
    return lines, rejected


def identified(lines: pl.DataFrame) -> pl.DataFrame:
    def field(name: str) -> pl.Expr:
        value = pl.col(name)
        if name == "invoice_ts":
            value = value.dt.to_string("%Y-%m-%d %H:%M:%S")
        value = value.cast(pl.String)
        return (value.str.len_bytes().cast(pl.String) + ":" + value).fill_null("~")

    rows = lines.select(pl.concat_str([*map(field, HASHED), pl.lit("~")]).cast(pl.Binary)).to_series().to_list()
    head = hashlib.blake2b(b"\x01T", digest_size=16)
    digests = []
    for row in rows:
        state = head.copy()
        state.update(row)
        digests.append(state.digest())
    lines = lines.with_columns(pl.Series("line_hash", digests, dtype=pl.Binary))
    repeated = lines["line_hash"].is_duplicated()
    occurrence = np.ones(lines.height, dtype=np.int64)
    numbers = lines.filter(repeated).select(pl.int_range(1, pl.len() + 1).over("file_sha256", "line_hash")).to_series()
    occurrence[repeated.to_numpy()] = numbers.to_numpy()
    halves = np.frombuffer(b"".join(digests), dtype=">u8").reshape(-1, 2).astype(np.uint64)
    halves[:, 1] += (occurrence - 1).astype(np.uint64)
    data = halves.astype(">u8").tobytes()
    ids = [data[at : at + 16] for at in range(0, len(data), 16)]
    return lines.with_columns(
        pl.Series("occurrence", occurrence),
        pl.Series("line_id", ids, dtype=pl.Binary),
        pl.Series("sale_key", (halves[:, 1] & np.uint64(2**63 - 1)).astype(np.int64)),
    ).unique("line_id", keep="first", maintain_order=True)


def scored(lines: pl.DataFrame) -> pl.DataFrame:
    weights = {
        "guest": (pl.col("customer_id").is_null(), 10), "missing_description": (pl.col("description").is_null(), 10),
        "zero_price": (pl.col("unit_price") == 0, 10), "unknown_country": (pl.col("known").is_null(), 10),
        "rounded_price": (pl.col("price_rounded"), 5), "repeated_line": (pl.col("occurrence") > 1, 5),
        "normalised_code": (pl.col("code_changed"), 2),
        "future_date": (pl.col("invoice_ts") > pl.col("ingested_at").dt.replace_time_zone(None), 20),
    }  # fmt: skip
    names = sorted(weights)
    mask = pl.sum_horizontal(
        pl.when(weights[name][0]).then(1 << place).otherwise(0) for place, name in enumerate(names)
    )
    lines = lines.with_columns(mask=mask)
    masks = lines["mask"].unique()
    hit = [[name for place, name in enumerate(names) if value >> place & 1] for value in masks]
    spelled = pl.DataFrame({
        "mask": masks,
        "validation_errors": pl.Series(hit, dtype=pl.List(pl.String)),
        "cents": [100 - sum(weights[name][1] for name in found) for found in hit],
    })  # fmt: skip
    hundredths = pl.col("cents").cast(pl.Decimal(5, 2)) / 100  # the quotient keeps this scale
    spelled = spelled.with_columns(data_quality_score=hundredths.cast(pl.Decimal(3, 2)))
    lines = lines.join(spelled, on="mask", how="left", maintain_order="left")
    return lines.with_columns(pl.col("known").fill_null("Unspecified").alias("country"), source_row_id="row_id")


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
    years = lines["invoice_date"].dt.year()
    first, last = (
        date(int(str(year)), month, day) for year, month, day in ((years.min(), 1, 1), (years.max(), 12, 31))
    )
    days: pl.Series = pl.date_range(first, last, eager=True)
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


def run(out: Path, countries_csv: Path, files: list[Path]) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    members = pl.read_csv(countries_csv, schema_overrides={"country_key": pl.Int32}, empty_string_is_null=False)
    lookup = members.select(spelling=pl.col("country").str.to_lowercase(), known="country")
    raw = pl.concat([bronze(file, now) for file in files])
    save(raw, out, "bronze/sales_lines", ["batch_id"])
    accepted, rejected = judged(typed(raw, lookup))
    silver = scored(identified(accepted))
    save(silver.select(SILVER), out, "silver/retail_transactions", ["invoice_month"])
    save(rejected.select(*COLUMNS[:3], "row_id", "row_number", "file_name"), out, "silver/rejected_lines")
    save(silver.clear().select("line_id", "invoice_no", "row_id"), out, "silver/merged_lines")
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


if __name__ == "__main__":
    began = time.perf_counter()
    run(Path(sys.argv[1]), Path(sys.argv[2]), [Path(name) for name in sys.argv[3:]])
    print(time.perf_counter() - began)
