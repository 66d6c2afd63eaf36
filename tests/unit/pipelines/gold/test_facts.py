from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from cluster.delta_sink import read_files, write_file
from cluster.storage import Storage
from pipelines.gold.facts import FactItem, facts_of, write_facts
from pipelines.gold.versions import CUSTOMERS, PRODUCTS, observe, versions
from pipelines.identity import line_ids
from pipelines.refine import refine_batch
from pipelines.rules import verdicts
from tests.unit.pipelines.bronze_cells import INGESTED_AT, bronze_of
from warehouse_sql.tables.arrow import arrow_schema
from warehouse_sql.tables.gold import DIM_CUSTOMERS, DIM_PRODUCTS, FactSale
from warehouse_sql.tables.silver import TRANSACTIONS, RetailTransaction


def silver(*lines: dict[str, str | None]) -> pl.DataFrame:
    """Give rows of silver.retail_transactions, as silver makes them of first lines."""
    accepted = refine_batch(bronze_of(lines), "month_first", "UTC").accepted
    first = pl.Series("occurrence", [1] * accepted.height, dtype=pl.Int64)
    named = accepted.rename({"row_id": "source_row_id"}).hstack(verdicts(accepted["warnings"])).with_columns(first)
    return named.with_columns(line_ids(named["line_hash"], first)).select(RetailTransaction.model_fields.keys())


LINES = silver(
    {"description": "OLD", "discount_amount": "0.5"},
    {"description": "NEW", "invoice_date": "2011-03-01 09:00", "customer_id": "", "country": "France"},
    {"invoice_no": "C9", "quantity": "-2", "unit_price": "0.123", "invoice_date": "2011-03-02 09:00"},
    {"stock_code": "POST", "country": "Atlantis", "invoice_date": "2011-02-28 23:59:59"},
)


def dims(lines: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    customers, products = (versions(observe(lines, dimension), dimension) for dimension in (CUSTOMERS, PRODUCTS))
    return customers, products


def fact(**where: Any) -> dict[str, Any]:
    return facts_of(LINES, *dims(LINES)).filter(**where).row(0, named=True)


def test_one_row_per_line_in_the_same_order_with_the_types_of_the_table() -> None:
    facts = facts_of(LINES, *dims(LINES))
    assert facts["line_id"].to_list() == LINES["line_id"].to_list()
    assert facts.schema == pl.DataFrame(pl.from_arrow(arrow_schema(FactSale).empty_table())).schema
    assert facts.select(pl.all().exclude("discount_amount").null_count()).row(0) == (0,) * 20
    assert facts["sale_key"].n_unique() == 4
    assert facts["sale_key"].to_list() == [int.from_bytes(line[8:]) % 2**63 for line in LINES["line_id"]]


def test_a_fact_points_to_the_version_of_its_day() -> None:
    customers, products = dims(LINES)
    facts = facts_of(LINES, customers, products).join(products, on="product_key").sort("invoice_ts")
    assert facts["description"].to_list() == ["OLD", "WHITE HANGING HEART", "NEW", "NEW"]
    assert (facts["valid_from"] <= facts["invoice_date"]).all()
    assert (facts["valid_to"] >= facts["invoice_date"]).all()


def test_guests_and_countries_are_the_lines_own() -> None:
    guest = fact(country="France")
    assert (guest["customer_key"], guest["country_key"]) == (-1, 250)
    assert fact(line_type="fee")["country"] == "Unspecified"
    assert fact(line_type="fee")["country_key"] == 999


def test_measures_are_exact_and_say_what_kind_of_line_it_is() -> None:
    back = fact(invoice_no="C9")
    assert back["total_amount"].as_tuple() == Decimal("-0.2460").as_tuple()
    assert (back["is_return"], back["is_sale"], back["line_type"], back["date_key"]) == (
        True,
        False,
        "return",
        20110302,
    )
    sale = fact(date_key=20101201)
    assert (sale["total_amount"], sale["discount_amount"]) == (Decimal("15.3"), Decimal("0.5"))
    assert (sale["invoice_ts"], sale["invoice_date"]) == (datetime(2010, 12, 1, 8, 26), date(2010, 12, 1))
    assert sale["created_at"] == INGESTED_AT.astimezone(UTC)
    assert (sale["source_row_id"], sale["batch_id"]) == ("f" * 16 + ":2", "run-1")


def test_the_task_writes_one_month_and_tells_rows_and_money(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    march = LINES.filter(pl.col("invoice_month") == "2011-03")

    def put(table: str, frame: pl.DataFrame) -> tuple[str]:
        return (f"{storage.table_uri(table)}/{write_file(storage, table, 'x', frame).path}",)

    customers, products = dims(LINES)
    item = FactItem(
        "2011-03", put(TRANSACTIONS, march), put(DIM_CUSTOMERS, customers), put(DIM_PRODUCTS, products), "f"
    )
    row = write_facts(storage, item)
    assert (row["month"], row["rows"], row["amount"]) == ("2011-03", 2, Decimal("15.054"))
    assert row["file"].partition == {"invoice_month": "2011-03"}
    written = read_files(storage, [f"{storage.table_uri('gold.fact_sales')}/{row['file'].path}"])
    assert written["total_amount"].sum() == row["amount"]
