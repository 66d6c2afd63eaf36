"""Gold to PostgreSQL: what changed since the last publication moves, in one transaction, and raises the data version.

Reads: one version of gold.fact_sales and the versions of its siblings that it names. Writes: schema gold and
ops.publications, ops.rule_counts. Mode: rows that differ; readers see the old data version or the new one.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.types.json import Jsonb
from sqlmodel import SQLModel

from cluster.errors import DataError, FatalError, RetryableError
from cluster.lakehouse import DataFile, Lakehouse, RowCounts, TableVersion
from cluster.warehouse import connect, masked
from pipelines.loading import Changes, Staged, merge_dimension, merge_facts, remove_vanished, stage
from pipelines.published import assert_equals_lake, assert_none_outside, last_publication
from pipelines.steps import Money, StepContext, StepResult
from warehouse_sql.statements import statement
from warehouse_sql.tables.gold import (
    DIM_COUNTRY,
    DIM_CUSTOMERS,
    DIM_DATE,
    DIM_PRODUCTS,
    FACT_SALES,
    DimCountry,
    DimCustomer,
    DimDate,
    DimProduct,
    FactSale,
)
from warehouse_sql.tables.silver import MONTH, TRANSACTIONS

PUBLISH_LOCK = 7_263_002
"""Advisory lock of PostgreSQL: one publisher at a time."""
DIMENSIONS: dict[str, type[SQLModel]] = {
    DIM_DATE: DimDate,
    DIM_COUNTRY: DimCountry,
    DIM_CUSTOMERS: DimCustomer,
    DIM_PRODUCTS: DimProduct,
}


@dataclass
class Difference:
    """What the lake has that the warehouse has not.

    Attributes:
        tables: gold table → version (Delta), run_id, rows, amount of what will be published.
        dimensions: Dimensions to compare row by row.
        months: Months of the fact table to compare, with their files; months without files have lost their lines.
        rule_counts: What the rules found, for ops.rule_counts.
        rules_differ: Whether that differs from what is published.
    """

    tables: dict[str, dict[str, Any]]
    dimensions: list[str] = field(default_factory=list)
    months: dict[str, list[DataFile]] = field(default_factory=dict)
    rule_counts: list[dict[str, Any]] = field(default_factory=list)
    rules_differ: bool = False


def publish(context: StepContext, url: str) -> StepResult:
    """Load what changed in gold into the warehouse.

    Args:
        context: Settings, lake and report.
        url: The warehouse, migrated.

    Returns:
        What was done; `changed` is False when the warehouse has it all.

    Raises:
        DataError: Gold has no version yet.
        RetryableError: The warehouse does not answer, or broke off.
        FatalError: Warehouse and lake do not agree after the load, or the rows do not fit together; nothing was
            committed.
    """
    latest = context.lake.latest(FACT_SALES)
    if latest is None:
        raise DataError(
            "There is nothing to publish", where=FACT_SALES, remedy="Run the steps before it: `retail run`."
        )
    try:
        with connect(url, autocommit=True) as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", (PUBLISH_LOCK,))
            return _publish(context, connection, *latest)
    except psycopg.OperationalError as error:
        raise RetryableError(
            "The warehouse broke off the publication", where=masked(url), why=_first_line(error),
            remedy="Run the command again; readers still see the last publication.",
        ) from error  # fmt: skip
    except psycopg.IntegrityError as error:
        raise FatalError(
            "The rows of gold do not fit together", where=FACT_SALES, why=_first_line(error),
            remedy="Nothing was committed; report this.",
        ) from error  # fmt: skip


def _first_line(error: psycopg.Error) -> str:
    return str(error).strip().partition("\n")[0]


def _publish(
    context: StepContext, connection: psycopg.Connection[Any], version: int, notes: dict[str, Any]
) -> StepResult:
    began = time.monotonic()
    output = TableVersion(FACT_SALES, version, notes["run_id"])
    last = last_publication(connection)
    difference = _compare(context.lake, connection, version, notes, last)
    if not (difference.dimensions or difference.months or difference.rules_differ):
        message = f"publish: data version {last['data_version']} holds it all"
        return StepResult("publish", output, seconds=time.monotonic() - began, changed=False, messages=(message,))
    staged = _stage(context, connection, difference)
    context.report("publish: merge", 0, 1)
    data_version, moved = _load(connection, difference, staged, notes, context.lake.run_id)
    context.report("publish: merge", 1, 1)
    amount = Decimal(notes["amount"])
    counts, money = RowCounts(notes["rows"], notes["rows"]), Money(amount, amount)
    what = ", ".join(f"{name} {rows:,}" for name, rows in moved.items())
    message = f"publish: data version {data_version}; " + (f"{what} rows moved" if what else "no row of gold differs")
    return StepResult("publish", output, counts, money, time.monotonic() - began, messages=(message,))


def _compare(
    lake: Lakehouse, connection: psycopg.Connection[Any], version: int, notes: dict[str, Any], last: dict[str, Any]
) -> Difference:
    """Find from the versions alone what must be looked at row by row."""
    published = last["tables"]
    tables = {table: _described(lake, table, at) for table, at in notes["siblings"].items()}
    tables[FACT_SALES] = _described(lake, FACT_SALES, version)
    dimensions = [table for table in DIMENSIONS if not _is_published(tables[table], published.get(table))]
    months = _changed_months(lake, version, published.get(FACT_SALES))
    if months is None:
        held = connection.execute(statement("publish/months").encode())
        months = {month: [] for (month,) in held} | _by_month(lake.files(FACT_SALES, version))
    rules = _rule_counts(lake, notes)
    known = {tuple(row) for row in connection.execute(statement("publish/rule_counts").encode())}
    wanted = {
        (row["rule_id"], row["outcome"], row["line_count"], None if row["amount"] is None else Decimal(row["amount"]))
        for row in rules
    }
    return Difference(tables, dimensions, months, rules, known != wanted)


def _rule_counts(lake: Lakehouse, notes: dict[str, Any]) -> list[dict[str, Any]]:
    """Give what the rules found, from the newest silver that has just the lines of gold.

    Gold makes no version when only refused or merged lines came; a silver with other lines would not fit the facts.
    """
    built_from = notes["silver_version"]
    files = lake.files(TRANSACTIONS, built_from)
    newer = range(lake.version(TRANSACTIONS) or 0, built_from, -1)
    at = next((version for version in newer if lake.files(TRANSACTIONS, version) == files), built_from)
    return list(lake.notes(TRANSACTIONS, at)["rule_counts"])


def _described(lake: Lakehouse, table: str, version: int) -> dict[str, Any]:
    notes = lake.notes(table, version)
    described = {"version": version, "run_id": notes["run_id"], "rows": lake.rows(table, version)}
    return described | ({"amount": notes["amount"]} if "amount" in notes else {})


def _is_published(wanted: dict[str, Any], published: dict[str, Any] | None) -> bool:
    return published is not None and all(wanted[name] == published[name] for name in ("version", "run_id"))


def _changed_months(
    lake: Lakehouse, version: int, published: dict[str, Any] | None
) -> dict[str, list[DataFile]] | None:
    """Group the fact files of months whose files differ; None when they cannot be told.

    That is so when what is published is no version of this lake, or one whose log is gone (Delta removes old logs).
    """
    if published is None or published["version"] > version:
        return None
    try:
        if lake.notes(FACT_SALES, published["version"])["run_id"] != published["run_id"]:
            return None
        before = _by_month(lake.files(FACT_SALES, published["version"]))
    except (DataError, OSError):
        return None
    now = _by_month(lake.files(FACT_SALES, version))
    changed = {month for month in now.keys() | before.keys() if now.get(month) != before.get(month)}
    return {month: now.get(month, []) for month in sorted(changed)}


def _by_month(files: Sequence[DataFile]) -> dict[str, list[DataFile]]:
    months: dict[str, list[DataFile]] = {}
    for file in files:
        months.setdefault(str(file.partition[MONTH]), []).append(file)
    return months


def _stage(context: StepContext, connection: psycopg.Connection[Any], difference: Difference) -> dict[str, Staged]:
    """Copy the rows to compare into staging tables of this connection, file by file."""
    lake = context.lake
    files = {table: lake.files(table, difference.tables[table]["version"]) for table in difference.dimensions}
    if difference.months:
        files[FACT_SALES] = [file for month in difference.months.values() for file in month]
    total, done = sum(len(of_table) for of_table in files.values()), 0
    staged = {}
    for table, of_table in files.items():
        staged[table] = stage(connection, DIMENSIONS.get(table, FactSale))
        for file in of_table:
            staged[table].copy(lake.storage, file.uri)
            done += 1
            context.report("publish: copy", done, total)
        staged[table].analyse()
    return staged


def _load(
    connection: psycopg.Connection[Any],
    difference: Difference,
    staged: dict[str, Staged],
    notes: dict[str, Any],
    run_id: str,
) -> tuple[int, dict[str, int]]:
    """Merge everything in one transaction; give the data version and the rows moved per table."""
    with connection.transaction():
        assert_none_outside(connection)
        dimensions = [staged[table] for table in difference.dimensions]
        changes = {table.name: merge_dimension(table) for table in dimensions}
        facts = merge_facts(staged[FACT_SALES], list(difference.months)) if FACT_SALES in staged else Changes()
        for table in dimensions:
            changes[table.name].keys.update(remove_vanished(table))
        assert_equals_lake(connection, notes)
        moved = {name.partition(".")[2]: change.rows for name, change in {**changes, FACT_SALES: facts}.items()}
        for name, described in difference.tables.items():
            described["changed"] = moved.get(name.partition(".")[2], 0)
        row = connection.execute(
            statement("publish/record").encode(),
            {
                "run_id": run_id,
                "tables": Jsonb(difference.tables),
                "dates": sorted(facts.dates),
                "products": sorted(changes[DIM_PRODUCTS].keys) if DIM_PRODUCTS in changes else [],
                "customers": sorted(changes[DIM_CUSTOMERS].keys) if DIM_CUSTOMERS in changes else [],
            },
        ).fetchone()
        connection.execute(statement("publish/forget_rule_counts").encode())
        with connection.cursor() as cursor:
            cursor.executemany(statement("publish/rule_count").encode(), difference.rule_counts)
    return (int(row[0]) if row else 0), {name: rows for name, rows in moved.items() if rows}
