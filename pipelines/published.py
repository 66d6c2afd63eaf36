"""What the warehouse holds, and that it agrees with the lake; reads only, and knows no way of loading."""

from decimal import Decimal
from typing import Any

import psycopg
from psycopg.rows import dict_row

from cluster.errors import FatalError
from cluster.warehouse import connect
from warehouse_sql.statements import statement


def last_publication(connection: psycopg.Connection[Any]) -> dict[str, Any]:
    """Give data_version, published_at and tables of the last publication; version 0 and no tables without one."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(statement("publish/last").encode()).fetchone()
    return row or {"data_version": 0, "published_at": None, "tables": {}}


def warehouse_state(url: str) -> dict[str, Any]:
    """Tell what is published, counted in the warehouse itself.

    Args:
        url: The warehouse, migrated.

    Returns:
        data_version, published_at, tables (as recorded), line_count, amount, and outside_count: rows in the default
        partition, which must be 0.
    """
    with connect(url) as connection:
        return {**last_publication(connection), **_totals(connection)}


def assert_equals_lake(connection: psycopg.Connection[Any], notes: dict[str, Any]) -> None:
    """Make sure that the warehouse holds what the lake has, to the penny, and no row outside its quarter.

    Args:
        connection: In the transaction that loads.
        notes: Of the version of the fact table that is loaded: rows, amount.

    Raises:
        FatalError: It does not.
    """
    totals = _totals(connection)
    if totals["named_amount"] != totals["monthly_net"]:
        raise FatalError(
            "Customers by month and facts do not agree", where="gold.customer_monthly",
            why=f"facts of named customers {totals['named_amount']}, by month {totals['monthly_net']}",
            remedy="Nothing was committed; report this.",
        )  # fmt: skip
    if totals["line_count"] != notes["rows"] or totals["amount"] != Decimal(notes["amount"]):
        raise FatalError(
            "Warehouse and lake do not agree", where="gold.fact_sales",
            why=f"warehouse {totals['line_count']} rows, {totals['amount']}; lake {notes['rows']} rows, "
            f"{notes['amount']}",
            remedy="Nothing was committed; report this.",
        )  # fmt: skip
    _refuse_outside(totals["outside_count"])


def assert_none_outside(connection: psycopg.Connection[Any]) -> None:
    """Make sure that every row stands in the partition of its quarter.

    Raises:
        FatalError: The default partition holds rows.
    """
    [(outside,)] = connection.execute(statement("publish/outside").encode()).fetchall()
    _refuse_outside(outside)


def _refuse_outside(rows: int) -> None:
    if rows:
        raise FatalError(
            "The default partition holds rows", where="gold.fact_sales_default",
            why=f"{rows} rows; publish puts every row into the partition of its quarter",
            remedy="Nothing was committed; remove the rows that were put there by hand, or report this.",
        )  # fmt: skip


def _totals(connection: psycopg.Connection[Any]) -> dict[str, Any]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement("publish/totals").encode()).fetchone() or {}
