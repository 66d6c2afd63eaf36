"""The statements on DuckDB: their rows on small tables worked out by hand, their types, and a bounded memory."""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cluster.storage import Storage
from pipelines.joins.duckdb_engine import Bounds, query
from pipelines.joins.join import Join, Value, join_sql
from warehouse_sql.tables.arrow import arrow_schema
from warehouse_sql.tables.gold import BasketPair, CustomerMonth, FactSale

BOUNDS = Bounds(memory_mb=500, threads=2)
Fact = tuple[str, str, int, int, str, bool, str]
"""invoice, day, customer key, quantity, price, whether a sale, kind of line."""


def facts_file(folder: Path, facts: list[tuple[Fact, int]]) -> str:
    rows: list[dict[str, Any]] = [
        {
            "invoice_no": invoice, "invoice_date": date.fromisoformat(day), "customer_key": customer,
            "product_key": product, "quantity": quantity, "total_amount": quantity * Decimal(price),
            "is_sale": is_sale, "is_return": quantity < 0, "line_type": kind,
        }
        for (invoice, day, customer, quantity, price, is_sale, kind), product in facts
    ]  # fmt: skip
    path = folder / "facts.parquet"
    schema: Any = {"total_amount": pl.Decimal(14, 4), "customer_key": pl.Int64, "product_key": pl.Int64}
    pl.DataFrame(rows, schema_overrides=schema).write_parquet(path)
    return str(path)


def dimension_file(folder: Path, name: str, key: str, natural: str, members: dict[int, str]) -> str:
    path = folder / f"{name}.parquet"
    pl.DataFrame({key: list(members), natural: list(members.values())}).write_parquet(path)
    return str(path)


def run(join: Join, folder: Path) -> pl.DataFrame:
    return query(Storage(str(folder)), join, BOUNDS)


def customers(folder: Path, facts: list[Fact]) -> pl.DataFrame:
    members = {-1: "GUEST", 1: "A", 2: "A", 3: "B"}
    views = {
        "fact_sales": (facts_file(folder, [(fact, 1) for fact in facts]),),
        "dim_customers": (dimension_file(folder, "customers", "customer_key", "customer_id", members),),
    }
    join = Join("gold.customer_monthly", join_sql("customer_monthly"), views, {"guest_key": -1}, ("invoice_month",))
    return run(join, folder)


def test_a_customer_is_one_over_its_versions_and_guests_are_left_out(tmp_path: Path) -> None:
    rows = customers(
        tmp_path,
        [
            ("1", "2011-01-05", 1, 2, "1.005", True, "sale"),
            ("1", "2011-01-05", 1, 1, "3", True, "sale"),
            ("2", "2011-01-31", 2, 1, "10", True, "sale"),
            ("C3", "2011-01-09", 2, -1, "1.005", False, "return"),
            ("4", "2011-02-01", 2, 5, "0", False, "sale"),
            ("5", "2011-01-05", -1, 9, "9", True, "sale"),
            ("C6", "2011-02-02", 3, -2, "4.5", False, "return"),
        ],
    )
    found = {(row["customer_id"], row["invoice_month"]): row for row in rows.to_dicts()}
    assert found.keys() == {("A", "2011-01"), ("A", "2011-02"), ("B", "2011-02")}
    assert found["A", "2011-01"] == {
        "customer_id": "A", "invoice_month": "2011-01", "month": date(2011, 1, 1), "orders": 2, "units": 4,
        "net": Decimal("14.0050"), "gross": Decimal("15.0100"), "returns": Decimal("1.0050"),
        "first_purchase_date": date(2011, 1, 5), "last_purchase_date": date(2011, 1, 31),
    }  # fmt: skip
    only_free = found["A", "2011-02"]
    assert (only_free["orders"], only_free["net"], only_free["first_purchase_date"]) == (0, Decimal(0), None)
    only_returned = found["B", "2011-02"]
    assert (only_returned["returns"], only_returned["net"]) == (Decimal("9.0000"), Decimal("-9.0000"))
    wanted = pl.DataFrame(pl.from_arrow(arrow_schema(CustomerMonth).empty_table())).schema
    assert rows.drop("invoice_month").schema == wanted


def pairs(
    folder: Path, baskets: dict[str, str], support: str, most: int = 100
) -> dict[tuple[str, str], tuple[int, ...]]:
    """Letters are products; each basket is bought once, its first product twice."""
    members = dict(enumerate("ABCDEFGH"))
    keys = {code: key for key, code in members.items()}
    facts: list[tuple[Fact, int]] = [
        ((invoice, "2011-01-05", 1, 1, "1", True, "sale"), keys[code])
        for invoice, codes in baskets.items()
        for code in codes + codes[:1]
    ]
    facts.append((("90", "2011-01-05", 1, 1, "1", True, "fee"), keys["H"]))
    facts.append((("90", "2011-01-05", 1, -1, "1", False, "return"), keys["G"]))
    views = {
        "fact_sales": (facts_file(folder, facts),),
        "dim_products": (dimension_file(folder, "products", "product_key", "stock_code", members),),
    }
    values: dict[str, Value] = {"max_products": most, "min_support": support}
    rows = run(Join("gold.basket_pairs", join_sql("basket_pairs"), views, values), folder)
    assert rows.schema == {name: pl.String if "code" in name else pl.Int64 for name in rows.columns}
    assert rows.columns == arrow_schema(BasketPair).names
    [sizes] = run(Join("baskets", join_sql("basket_sizes"), views, values), folder).to_dicts()
    kept = [len(set(codes)) for codes in baskets.values() if len(set(codes)) <= most]
    assert sizes == {
        "baskets": len(kept), "left_out": len(baskets) - len(kept),
        "ordered_pairs": sum(size * (size - 1) for size in kept),
    }  # fmt: skip
    return {(row[0], row[1]): row[2:] for row in rows.rows()}


def test_pairs_count_invoices_once_and_fees_and_returns_never(tmp_path: Path) -> None:
    found = pairs(tmp_path, {"1": "BA", "2": "ABC", "3": "C", "4": "A"}, support="0")
    assert found == {("A", "B"): (2, 3, 2, 4), ("A", "C"): (1, 3, 2, 4), ("B", "C"): (1, 2, 2, 4)}


@pytest.mark.parametrize(("support", "kept"), [("0.5", 1), ("0.500001", 0), ("0.25", 3)])
def test_support_is_compared_exactly_at_the_boundary(tmp_path: Path, support: str, kept: int) -> None:
    assert len(pairs(tmp_path, {"1": "BA", "2": "ABC", "3": "C", "4": "A"}, support)) == kept


def test_too_large_an_invoice_leaves_pairs_counts_and_total(tmp_path: Path) -> None:
    found = pairs(tmp_path, {"1": "AB", "2": "ABC", "3": "ABCD"}, support="0", most=3)
    assert found[("A", "B")] == (2, 2, 2, 2)
    assert all("D" not in pair for pair in found)


def silver_line(line_id: bytes, customer: str | None, code: str, day: date) -> dict[str, Any]:
    return {
        "line_id": line_id, "invoice_no": "1", "stock_code": code, "quantity": 1, "invoice_date": day,
        "invoice_ts": datetime.combine(day, datetime.min.time()), "unit_price": Decimal("2.5"),
        "total_amount": Decimal("2.5"), "discount_amount": None, "customer_id": customer, "country": "France",
        "line_type": "sale", "is_sale": True, "is_return": False, "data_quality_score": Decimal(1), "batch_id": "b",
        "source_row_id": "r", "ingested_at": datetime(2026, 1, 1),
    }  # fmt: skip


def test_facts_take_the_versions_of_their_day(tmp_path: Path) -> None:
    """What the statement gives is compared with the spine's own facts on both engines in tests/flow."""
    first, change, last = date(1, 1, 1), date(2011, 1, 10), date(9999, 12, 31)
    before, after = date(2011, 1, 9), date(2011, 1, 10)
    lines = [
        silver_line(b"\xff" * 16, "7", "A", before), silver_line(b"\x00" * 15 + b"\x05", "7", "A", after),
        silver_line(b"\x80" + b"\x00" * 15, None, "A", after),
    ]  # fmt: skip
    versions = {"valid_from": [first, change], "valid_to": [before, last]}
    tables: dict[str, Any] = {
        "silver": pl.DataFrame(
            lines,
            schema_overrides={
                "discount_amount": pl.Decimal(14, 4), "line_id": pl.Binary, "total_amount": pl.Decimal(14, 4),
                "unit_price": pl.Decimal(12, 4), "data_quality_score": pl.Decimal(3, 2),
            },
        ).with_columns(pl.col("ingested_at").dt.replace_time_zone("UTC")),
        "dim_date": pl.DataFrame({"full_date": [before, after], "date_key": [20110109, 20110110]}).cast(
            {"date_key": pl.Int32}
        ),
        "dim_country": pl.DataFrame({"country": ["France"], "country_key": [250]}).cast({"country_key": pl.Int32}),
        "dim_customers": pl.DataFrame({"customer_id": ["7", "7"], "customer_key": [1, 2], **versions}),
        "dim_products": pl.DataFrame({"stock_code": ["A", "A"], "product_key": [10, 20], **versions}),
    }  # fmt: skip
    views = {}
    for name, frame in tables.items():
        frame.write_parquet(tmp_path / f"{name}.parquet")
        views[name] = (str(tmp_path / f"{name}.parquet"),)
    rows = run(Join("gold.fact_sales", join_sql("fact_sales"), views, {"guest_key": -1}), tmp_path).sort("line_id")
    found = rows.select("sale_key", "customer_key", "product_key", "date_key", "invoice_month").rows()
    assert found == [
        (5, 2, 20, 20110110, "2011-01"), (0, -1, 20, 20110110, "2011-01"), (2**63 - 1, 1, 10, 20110109, "2011-01"),
    ]  # fmt: skip
    wanted = pl.DataFrame(pl.from_arrow(arrow_schema(FactSale).empty_table())).schema
    assert dict(rows.drop("invoice_month").schema) == dict(wanted)


def test_what_exceeds_the_memory_goes_to_disk(tmp_path: Path) -> None:
    rows = 3_000_000
    pl.DataFrame({"key": range(rows)}).write_parquet(tmp_path / "keys.parquet")
    sql = "SELECT COUNT(*) AS n, COUNT(DISTINCT k) AS d FROM (SELECT CAST(key AS STRING) || 'x' AS k FROM keys)"
    join = Join("many", sql, {"keys": (str(tmp_path / "keys.parquet"),)})
    assert query(Storage(str(tmp_path)), join, Bounds(memory_mb=100, threads=1)).rows() == [(rows, rows)]
