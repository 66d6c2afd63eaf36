"""The fact table's partitions, one per quarter with sales: opened, loaded, merged; knows no publication."""

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Any

import psycopg
from psycopg import sql

from cluster.warehouse import giving_way
from pipelines.loading import Changes, Staged, day_bounds, merge_month
from warehouse_sql.statements import statement
from warehouse_sql.tables.gold import FactSale


def merge_facts(staged: Staged, months: Sequence[str]) -> Changes:
    """Bring some months of the fact table to what is staged.

    Args:
        staged: All fact rows of these months.
        months: YYYY-MM.

    Returns:
        What moved.
    """
    changes = Changes()
    new_quarters = _missing_quarters(staged.connection, months)
    for quarter in new_quarters:
        _load_quarter(staged, quarter, changes)
    for month in (month for month in months if quarter_of(month) not in new_quarters):
        merge_month(staged, month, changes)
    return changes


def open_quarters(connection: psycopg.Connection[Any], months: Sequence[str]) -> None:
    """Give months their empty partitions before the transaction that fills them: attaching needs a lock for a moment.

    PostgreSQL keeps readers of the fact table out until that transaction ends, so it must be a short one. A warehouse
    that nothing reads yet is filled faster without.

    Args:
        connection: Not in a transaction.
        months: YYYY-MM.

    Raises:
        psycopg.errors.LockNotAvailable: A reader holds the fact table for too long.
    """
    staged = Staged(connection, FactSale)
    for quarter in _missing_quarters(connection, months):
        giving_way(connection, partial(_open_quarter, staged, quarter))


def _open_quarter(staged: Staged, quarter: tuple[int, int]) -> None:
    partition, bounds = _create_partition(staged, quarter)
    staged.execute(ATTACH, partition=partition, **bounds)


def quarter_of(month: str) -> tuple[int, int]:
    """Give year and quarter of a month YYYY-MM."""
    return int(month[:4]), (int(month[5:7]) + 2) // 3


def _missing_quarters(connection: psycopg.Connection[Any], months: Sequence[str]) -> list[tuple[int, int]]:
    """Give the quarters of these months that have no partition yet."""
    quarters = sorted({quarter_of(month) for month in months})
    names = {f"gold.{_partition_name(quarter)}": quarter for quarter in quarters}
    found = connection.execute(statement("publish/missing_partitions").encode(), {"names": list(names)})
    return sorted(names[name] for (name,) in found)


def _partition_name(quarter: tuple[int, int]) -> str:
    return f"{getattr(FactSale, '__tablename__')}_{quarter[0]:04}_q{quarter[1]}"  # noqa: B009


ATTACH = "ALTER TABLE {target} ATTACH PARTITION {partition} FOR VALUES FROM ({first}) TO ({behind})"


def _create_partition(staged: Staged, quarter: tuple[int, int]) -> tuple[sql.Composable, dict[str, sql.Composable]]:
    """Make the table of a quarter, not attached yet; give its name and its bounds."""
    partition = sql.Identifier("gold", _partition_name(quarter))
    staged.execute("CREATE TABLE {partition} (LIKE {target} INCLUDING DEFAULTS)", partition=partition)
    return partition, day_bounds(date(quarter[0], quarter[1] * 3 - 2, 1), 3)


def _load_quarter(staged: Staged, quarter: tuple[int, int], changes: Changes) -> None:
    """Load a quarter without a partition: filled alone, then attached, which builds indexes and checks keys in bulk."""
    partition, bounds = _create_partition(staged, quarter)
    cursor = staged.execute(
        "INSERT INTO {partition} ({columns}) SELECT {columns} FROM {staging} "
        "WHERE invoice_date >= {first} AND invoice_date < {behind} ORDER BY invoice_date, sale_key",
        partition=partition, **bounds,
    )  # fmt: skip
    changes.rows += cursor.rowcount
    days = staged.execute("SELECT DISTINCT invoice_date FROM {partition}", partition=partition)
    changes.dates.update(day for (day,) in days)
    staged.execute(ATTACH, partition=partition, **bounds)
    staged.execute("ANALYZE {partition}", partition=partition)
