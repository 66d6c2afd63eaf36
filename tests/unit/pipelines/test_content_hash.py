"""The content hash of every table: any business column of any row counts, files and order do not."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cluster.delta_sink import write_file
from cluster.storage import Storage
from pipelines.content_hash import HASHED, PROVENANCE, HashItem, business_columns, frame_hash, hash_files
from tests.unit.pipelines.test_identity import plain_hash
from warehouse_sql.tables.arrow import arrow_schema
from warehouse_sql.tables.gold import BASKET_PAIRS, DIM_PRODUCTS, FACT_SALES
from warehouse_sql.tables.silver import REJECTED, TRANSACTIONS

tables = pytest.mark.parametrize("table", HASHED)


def value_of(kind: pl.DataType, number: int) -> Any:
    """Give the number-th value of a type."""
    if isinstance(kind, pl.Decimal):
        return Decimal(number) / 100
    if isinstance(kind, pl.Datetime):
        return datetime(2011, 1, 1, tzinfo=UTC if kind.time_zone else None) + timedelta(seconds=number)
    if isinstance(kind, pl.List):
        return [f"rule_{number}"]
    if kind == pl.Date:
        return date(2011, 1, 1) + timedelta(days=number)
    if kind == pl.Boolean:
        return number % 2 == 0
    return {pl.String: f"text {number}", pl.Binary: number.to_bytes(16)}.get(kind.base_type(), number)


def sample(table: str, rows: int = 20) -> pl.DataFrame:
    schema = pl.DataFrame(pl.from_arrow(arrow_schema(HASHED[table]).empty_table())).schema
    return pl.DataFrame(
        {
            name: [value_of(kind, row * 31 % 97 + place) for row in range(rows)]
            for place, (name, kind) in enumerate(schema.items())
        },
        schema=schema,
    )


@tables
def test_changing_any_business_column_of_one_row_changes_it(table: str) -> None:
    rows = sample(table)
    before = frame_hash(rows, table)
    for name in rows.columns:
        column = rows[name].to_list()
        candidates = [value_of(rows.schema[name], number) for number in (998, 999)]
        column[7] = next(value for value in candidates if value != column[7])
        changed = rows.with_columns(pl.Series(name, column, dtype=rows.schema[name]))
        assert (frame_hash(changed, table) != before) == (name not in PROVENANCE), name


@tables
def test_a_null_is_not_an_empty_text_or_list(table: str) -> None:
    rows = sample(table, 1)
    for name in business_columns(table):
        if rows.schema[name] == pl.String:
            empty, null = (rows.with_columns(pl.lit(value, pl.String).alias(name)) for value in ("", None))
            assert frame_hash(empty, table) != frame_hash(null, table)


@tables
def test_order_of_rows_and_cuts_into_files_do_not_change_it(tmp_path: Path, table: str) -> None:
    rows = sample(table)
    whole = frame_hash(rows, table)
    shuffled = rows.sample(fraction=1, shuffle=True, seed=3)
    assert shuffled.rows() != rows.rows()
    assert frame_hash(shuffled, table) == whole
    storage = Storage(str(tmp_path))
    files = [write_file(storage, table, f"f{n}", piece) for n, piece in enumerate(shuffled.iter_slices(6))]
    uris = [f"{storage.table_uri(table)}/{file.path}" for file in files]
    totals = [hash_files(storage, HashItem(table, (uri,)))["total"] for uri in uris]
    assert sum(totals) % 2**128 == whole
    assert len(set(totals)) == 4


@tables
def test_a_row_more_or_twice_changes_it(table: str) -> None:
    rows = sample(table)
    hashes = {frame_hash(frame, table) for frame in (rows, rows[1:], pl.concat([rows, rows[:1]]), rows.clear())}
    assert len(hashes) == 4
    assert frame_hash(rows.clear(), table) == 0


def test_provenance_is_where_a_row_came_from_and_nothing_else() -> None:
    columns = {name for model in HASHED.values() for name in model.model_fields}
    assert columns >= PROVENANCE
    left_out = {table: set(model.model_fields) - set(business_columns(table)) for table, model in HASHED.items()}
    assert {table: columns for table, columns in left_out.items() if columns} == {
        TRANSACTIONS: {"source_row_id", "batch_id", "ingested_at", "invoice_month"},
        REJECTED: {"source_row_id", "batch_id", "ingested_at", "file_name", "row_number", "invoice_key"},
        FACT_SALES: {"source_row_id", "batch_id", "created_at"},
        BASKET_PAIRS: {"support", "confidence_a_to_b", "confidence_b_to_a", "lift", "leverage"},
    }


def test_a_row_is_hashed_byte_by_byte() -> None:
    row = {
        "product_key": 7, "stock_code": "22A", "description": None, "valid_from": date(1, 1, 1),
        "valid_to": date(9999, 12, 31), "is_current": True,
    }  # fmt: skip
    expected = plain_hash(b"H", ["7", "22A", None, "0001-01-01", "9999-12-31", "true"])
    assert business_columns(DIM_PRODUCTS) == list(row)
    assert frame_hash(pl.DataFrame([row], schema_overrides={"description": pl.String}), DIM_PRODUCTS) == int.from_bytes(
        expected
    )


def test_it_differs_from_a_sum_that_a_swap_would_leave() -> None:
    """Values that change places between two rows change the hash, as no sum by column would notice."""
    rows = sample(TRANSACTIONS, 2)
    swapped = rows.with_columns(rows["quantity"].reverse())
    assert frame_hash(swapped, TRANSACTIONS) != frame_hash(rows, TRANSACTIONS)
