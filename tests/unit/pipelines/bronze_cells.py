"""Bronze lines for tests: a good line, and frames of lines that differ from it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import polars as pl

from warehouse_sql.tables.bronze import SOURCE_COLUMNS

GOOD = {
    "invoice_no": "536365",
    "stock_code": "85123A",
    "description": "WHITE HANGING HEART",
    "quantity": "6",
    "invoice_date": "2010-12-01 08:26:00",
    "unit_price": "2.55",
    "customer_id": "17850",
    "country": "United Kingdom",
    "discount_amount": "",
}
INGESTED_AT = datetime(2012, 1, 1, 12, tzinfo=UTC)


def cells_of(lines: Sequence[Mapping[str, str | None]]) -> pl.DataFrame:
    """Give a frame of source cells, one row per line; what a line leaves out is as in `GOOD`."""
    return pl.DataFrame([GOOD | dict(line) for line in lines], schema=dict.fromkeys(SOURCE_COLUMNS, pl.String))


def bronze_of(lines: Sequence[Mapping[str, str | None]], sha256: str = "f" * 64, batch: str = "run-1") -> pl.DataFrame:
    """Give lines of bronze.sales_lines of one file."""
    numbers = range(2, 2 + len(lines))
    return cells_of(lines).with_columns(
        pl.Series("row_id", [f"{sha256[:16]}:{number}" for number in numbers], dtype=pl.String),
        pl.Series("row_number", numbers, dtype=pl.Int64),
        file_name=pl.lit(f"{sha256[:4]}.csv"),
        batch_id=pl.lit(batch),
        ingested_at=pl.lit(INGESTED_AT, pl.Datetime("us", "UTC")),
    )
