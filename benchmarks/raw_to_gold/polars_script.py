"""The opponent: one process, hand-written Polars, the same Delta tables. It imports nothing of the platform.

`python -m benchmarks.raw_to_gold.polars_script OUT COUNTRIES.csv FILE...` prints the seconds of its work after imports.
It assumes what this input has: the eight columns, ISO times, regular lines; it does evaluate the rules.
"""

import hashlib
import re
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.raw_to_gold.polars_gold import save, save_gold

COLUMNS = [
    "invoice_no", "stock_code", "description", "quantity", "invoice_date", "unit_price", "customer_id", "country",
]  # fmt: skip
FEES = ["POST", "DOT", "C2", "C3", "M", "BANK CHARGES", "AMAZONFEE", "CRUK", "S", "B", "ADJUST", "ADJUST2"]
HASHED = [
    "invoice_no", "stock_code", "description", "quantity", "unit_price", "invoice_ts", "customer_id", "country_said",
]  # fmt: skip
NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
QUANTITY = r"^[+-]?[0-9]{1,15}(\.0*)?$"
SILVER = [
    "line_id", "occurrence", "invoice_no", "stock_code", "description", "quantity", "invoice_ts", "invoice_date",
    "unit_price", "total_amount", "discount_amount", "customer_id", "country", "line_type", "is_sale", "is_return",
    "data_quality_score", "validation_errors", "source_row_id", "batch_id", "ingested_at", "invoice_month",
]  # fmt: skip


def bronze(file: Path, now: datetime) -> pl.DataFrame:
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    frame = pl.read_csv(file, infer_schema=False, empty_string_is_null=False, new_columns=COLUMNS)
    return frame.with_row_index("row_number", offset=2).with_columns(
        pl.col("row_number").cast(pl.Int64),
        discount_amount=pl.lit(None, pl.String),
        row_id=pl.lit(sha256[:16] + ":") + pl.col("row_number").cast(pl.String),
        source_system=pl.lit("files"),
        batch_id=pl.lit("bench"),
        file_name=pl.lit(file.name),
        file_sha256=pl.lit(sha256),
        ingested_at=pl.lit(now, pl.Datetime("us", "UTC")),
    )


def spread(column: pl.Series, read: Callable[[pl.Series], pl.DataFrame]) -> pl.DataFrame:
    """Read each distinct cell once, its field in the line's hash included."""
    encoded = column.to_arrow(compat_level=pl.CompatLevel.oldest()).dictionary_encode()
    codes = pl.Series(encoded.indices, dtype=pl.UInt32)
    return fielded(read(pl.Series(encoded.dictionary, dtype=pl.String))).select(pl.all().gather(codes))


def money(cells: pl.Series) -> pl.DataFrame:
    values: list[Decimal | None] = []
    rounded: list[bool] = []
    for cell in cells.str.strip_chars().to_list():
        exact = Decimal(cell) if NUMBER.fullmatch(cell) else Decimal(10) ** 14
        value = exact.quantize(Decimal("0.0001"), ROUND_HALF_EVEN) if abs(exact) < Decimal(10) ** 14 else None
        values.append(value)
        rounded.append(value is not None and value != exact)
    return pl.DataFrame({"unit_price": pl.Series(values, dtype=pl.Decimal(38, 4)), "price_rounded": rounded})


def cells_read(lookup: pl.DataFrame) -> dict[str, Callable[[pl.Series], pl.DataFrame]]:
    """Say how each column's distinct cells are read; `x` is the cell, empty results are null."""
    x, blank = pl.col("x"), pl.col("x").str.replace_all(r"\s+", " ").str.strip_chars()
    stripped = x.str.strip_chars()
    customer = stripped.str.replace(r"^(\d+)\.0+$", "$1")
    whole = pl.when(stripped.str.contains(QUANTITY)).then(stripped.str.extract(r"^\+?(-?[0-9]+)"))
    known = blank.str.to_lowercase().replace_strict(lookup["spelling"], lookup["known"], default=None)

    def by(**columns: pl.Expr) -> Callable[[pl.Series], pl.DataFrame]:
        return lambda cells: cells.alias("x").to_frame().select(**columns)

    def filled(text: pl.Expr) -> pl.Expr:
        return pl.when(text != "").then(text)

    code = filled(blank.str.to_uppercase())
    return {
        "invoice_no": by(invoice_no=filled(stripped.str.to_uppercase())),
        "stock_code": by(stock_code=code, code_changed=(code != x).fill_null(value=False)),
        "description": by(description=filled(blank)),
        "quantity": by(quantity=whole.cast(pl.Int64)),
        "unit_price": money,
        "invoice_date": by(invoice_ts=stripped.str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False)),
        "customer_id": by(customer_id=filled(customer)),
        "country": by(known=known, country_said=known.fill_null(blank.str.to_uppercase())),
    }


def typed(lines: pl.DataFrame, lookup: pl.DataFrame) -> pl.DataFrame:
    parts = [spread(lines[name], read) for name, read in cells_read(lookup).items()]
    amount = pl.col("quantity").cast(pl.Decimal(38, 0)) * pl.col("unit_price")
    kept = lines.select("row_id", "row_number", "file_name", "file_sha256", "batch_id", "ingested_at")
    return pl.concat([kept, *parts], how="horizontal").with_columns(
        amount=pl.when(amount.abs() < Decimal(10) ** 18).then(amount)
    )


def fielded(values: pl.DataFrame) -> pl.DataFrame:
    name = next(name for name in HASHED if name in values.columns)
    value = pl.col(name)
    text = value.dt.to_string("%Y-%m-%d %H:%M:%S") if name == "invoice_ts" else value.cast(pl.String)
    return values.with_columns((text.str.len_bytes().cast(pl.String) + ":" + text).fill_null("~").alias("f_" + name))


def judged(lines: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    invoice, quantity, price = pl.col("invoice_no"), pl.col("quantity"), pl.col("unit_price")
    adjustment = invoice.str.starts_with("A").fill_null(value=False)
    errors = {
        "missing_invoice": invoice.is_null(), "missing_stock_code": pl.col("stock_code").is_null(),
        "bad_quantity": quantity.is_null(), "zero_quantity": quantity == 0, "bad_date": pl.col("invoice_ts").is_null(),
        "bad_price": price.is_null(), "negative_price": (price < 0) & ~adjustment,
        "out_of_range": (quantity.abs() > 10**6) | (price.abs() >= 10**8) | (pl.col("amount").abs() >= 10**10),
    }  # fmt: skip
    lines = lines.with_columns(refused=pl.any_horizontal(value.fill_null(value=False) for value in errors.values()))
    named = [pl.when(holds).then(pl.lit(name)) for name, holds in sorted(errors.items())]
    rejected = lines.filter("refused").with_columns(rule_ids=pl.concat_list(named).list.drop_nulls())
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
        total_amount=pl.col("amount").cast(pl.Decimal(14, 4)),
        discount_amount=pl.lit(None, pl.Decimal(14, 4)),
    )  # fmt: skip
    return lines, rejected


def raw_fields(rejected: pl.DataFrame, cells: pl.DataFrame) -> pl.DataFrame:
    """Let the trimmed cell stand for each value that is missing, in the lines that do not parse."""
    source = {"invoice_ts": "invoice_date", "country_said": "country"}
    read = rejected.select(
        pl.all_horizontal(pl.col("invoice_no", "stock_code", *HASHED[3:6]).is_not_null())
    ).to_series()
    stripped = cells.select(pl.col(source.get(name, name)).str.strip_chars().alias(name) for name in HASHED)
    fields = stripped.select(pl.all().str.len_bytes().cast(pl.String) + ":" + pl.all())
    return rejected.with_columns(
        pl.Series("head", read).replace_strict({True: "\x01T", False: "\x01R"}, return_dtype=pl.String),
        *(
            rejected["f_" + name].zip_with(read | (rejected["f_" + name] != "~"), fields[name]).alias("f_" + name)
            for name in HASHED
        ),
        pl.when(read).then(pl.lit("~")).otherwise(pl.lit("0:")).alias("f_discount"),
    )


def identified(lines: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Hash the lines, count equal ones per file, and part those that another delivery already brought."""
    head = pl.col("head") if "head" in lines.columns else pl.lit("\x01T")
    discount = pl.col("f_discount") if "head" in lines.columns else pl.lit("~")
    rows = lines.select(pl.concat_str([head, *(pl.col("f_" + name) for name in HASHED), discount]).cast(pl.Binary))
    empty, digests = hashlib.blake2b(digest_size=16), []
    for row in rows.to_series().to_list():
        state = empty.copy()  # a third faster than a new object
        state.update(row)
        digests.append(state.digest())
    lines = lines.select(pl.exclude("^f_.*$")).with_columns(pl.Series("line_hash", digests, dtype=pl.Binary))
    repeated = lines["line_hash"].is_duplicated()
    equal = lines.select("file_sha256", "line_hash").filter(repeated).with_columns(
        n=pl.int_range(1, pl.len() + 1).over("file_sha256", "line_hash")
    )  # fmt: skip
    occurrence = np.ones(lines.height, dtype=np.int64)
    occurrence[repeated.to_numpy()] = equal["n"].to_numpy()
    again = np.zeros(lines.height, dtype=bool)
    again[repeated.to_numpy()] = ~equal.select(pl.struct("line_hash", "n").is_first_distinct()).to_series().to_numpy()
    halves = np.frombuffer(b"".join(digests), dtype=">u8").reshape(-1, 2).astype(np.uint64)
    halves[:, 1] += (occurrence - 1).astype(np.uint64)
    data = halves.astype(">u8").tobytes()
    ids = [data[at : at + 16] for at in range(0, len(data), 16)]
    lines = lines.with_columns(
        pl.Series("occurrence", occurrence),
        pl.Series("line_id", ids, dtype=pl.Binary),
        pl.Series("sale_key", (halves[:, 1] & np.uint64(2**63 - 1)).astype(np.int64)),
    )
    return (lines.filter(~again), lines.filter(again)) if again.any() else (lines, lines.clear())


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
    scores = [Decimal(100 - sum(weights[name][1] for name in found)).scaleb(-2) for found in hit]
    spelled = pl.DataFrame({
        "mask": masks,
        "validation_errors": pl.Series(hit, dtype=pl.List(pl.String)),
        "data_quality_score": pl.Series(scores, dtype=pl.Decimal(3, 2)),
    })  # fmt: skip
    lines = lines.join(spelled, on="mask", how="left", maintain_order="left")
    return lines.with_columns(pl.col("known").fill_null("Unspecified").alias("country"), source_row_id="row_id")


def spellings(members: pl.DataFrame) -> pl.DataFrame:
    said = pl.concat_list("country", "iso_alpha2", "iso_alpha3", pl.col("aliases").str.split(";")).alias("spelling")
    every = (
        members.select(said, known="country").explode("spelling").with_columns(pl.col("spelling").str.to_lowercase())
    )
    return every.filter(pl.col("spelling") != "").unique("spelling")


def run(out: Path, countries_csv: Path, files: list[Path]) -> None:
    """Make all tables; finished ones are written by threads while the next are made."""
    now = datetime.now(UTC).replace(microsecond=0)
    members = pl.read_csv(countries_csv, schema_overrides={"country_key": pl.Int32}, empty_string_is_null=False)
    with ThreadPoolExecutor(2) as writers:
        raw = pl.concat(sorted((bronze(file, now) for file in files), key=lambda lines: str(lines["file_sha256"][0])))
        saved = [writers.submit(save, raw, out, "bronze/sales_lines", ["batch_id"])]
        accepted, refused = judged(typed(raw, spellings(members)))
        accepted, merged = identified(accepted)
        silver = scored(accepted)
        saved.append(writers.submit(save, silver.select(SILVER), out, "silver/retail_transactions", ["invoice_month"]))
        cells = raw.join(refused.select("row_id"), on="row_id", how="semi", maintain_order="left")
        rejected, merged_refused = identified(raw_fields(refused, cells))
        decided = rejected.select(
            "row_id", "line_id", "rule_ids", "amount", invoice_key=pl.col("invoice_no").fill_null("")
        )
        kept = cells.drop("source_system", "file_sha256").join(decided, on="row_id", maintain_order="left")
        save(kept.rename({"row_id": "source_row_id"}), out, "silver/rejected_lines")
        merged = pl.concat([lines.select("line_id", "row_id", "amount") for lines in (merged, merged_refused)])
        save(merged.rename({"row_id": "source_row_id"}), out, "silver/merged_lines")
        save_gold(silver, members, out)
        for writing in saved:
            writing.result()


if __name__ == "__main__":
    began = time.perf_counter()
    run(Path(sys.argv[1]), Path(sys.argv[2]), [Path(name) for name in sys.argv[3:]])
    print(time.perf_counter() - began)
