"""Gold to PostgreSQL: what changed since the last publication moves, in one transaction, and raises the data version.

Reads: one version of gold.fact_sales, the versions of its siblings that it names, and the tables made from just that
version (customer_monthly, basket_pairs). Writes: schema gold and ops.publications, ops.rule_counts. Mode: rows that
differ; readers see the old data version or the new one.
"""

import time
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.types.json import Jsonb
from sqlmodel import SQLModel

from cluster.errors import DataError, FatalError, RetryableError
from cluster.lakehouse import Lakehouse, RowCounts, TableVersion
from cluster.warehouse import PUBLISH_LOCK, connect, masked
from pipelines.loading import Changes, Staged, merge_months, merge_rows, remove_vanished, stage
from pipelines.marts.refresh import Refreshed, refresh_marts
from pipelines.months import Months, by_month, changed_months
from pipelines.published import assert_equals_lake, assert_none_outside, last_publication
from pipelines.quarters import merge_facts, open_quarters
from pipelines.steps import Money, StepContext, StepResult
from warehouse_sql.statements import statement
from warehouse_sql.tables.gold import (
    BASKET_PAIRS,
    CUSTOMER_MONTHLY,
    DIM_COUNTRY,
    DIM_CUSTOMERS,
    DIM_DATE,
    DIM_PRODUCTS,
    FACT_SALES,
    BasketPair,
    CustomerMonth,
    DimCountry,
    DimCustomer,
    DimDate,
    DimProduct,
    FactSale,
)
from warehouse_sql.tables.silver import TRANSACTIONS

DIMENSIONS: dict[str, type[SQLModel]] = {
    DIM_DATE: DimDate,
    DIM_COUNTRY: DimCountry,
    DIM_CUSTOMERS: DimCustomer,
    DIM_PRODUCTS: DimProduct,
}
COMPARED_WHOLE: dict[str, type[SQLModel]] = {**DIMENSIONS, BASKET_PAIRS: BasketPair}
COMPARED_BY_MONTH: dict[str, type[SQLModel]] = {FACT_SALES: FactSale, CUSTOMER_MONTHLY: CustomerMonth}
MADE_FROM_FACTS = (CUSTOMER_MONTHLY, BASKET_PAIRS)


@dataclass
class Difference:
    """What the lake has that the warehouse has not.

    Attributes:
        tables: gold table → version (Delta), run_id, rows, amount of what will be published.
        whole: Tables to compare row by row.
        months: Table → its months to compare, with their files; months without files have lost their lines.
        rule_counts: What the rules found, for ops.rule_counts.
        rules_differ: Whether that differs from what is published.
    """

    tables: dict[str, dict[str, Any]]
    whole: list[str] = field(default_factory=list)
    months: dict[str, Months] = field(default_factory=dict)
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
        DataError: Gold has no version yet, or a table made from the facts is behind them.
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
    if not (difference.whole or difference.months or difference.rules_differ):
        message = f"publish: data version {last['data_version']} holds it all"
        return StepResult("publish", output, seconds=time.monotonic() - began, changed=False, messages=(message,))
    if last["data_version"] and FACT_SALES in difference.months:
        open_quarters(connection, list(difference.months[FACT_SALES]))
    staged = _stage(context, connection, difference)
    context.report("publish: merge", 0, 1)
    data_version, moved, marts = _load(connection, difference, staged, notes, context.lake.run_id)
    context.report("publish: merge", 1, 1)
    amount = Decimal(notes["amount"])
    counts, money = RowCounts(notes["rows"], notes["rows"]), Money(amount, amount)
    what = ", ".join(f"{name} {rows:,}" for name, rows in moved.items())
    message = f"publish: data version {data_version}; " + (f"{what} rows moved" if what else "no row of gold differs")
    seconds = time.monotonic() - began
    messages = (message, *_cost(marts, seconds))
    return StepResult("publish", output, counts, money, seconds, messages=messages)


def _cost(marts: list[Refreshed], seconds: float) -> tuple[str, ...]:
    """Say what keeping the marts cost, and its share of the publication; nothing where none was refreshed."""
    if not marts:
        return ()
    spent = sum(mart.seconds for mart in marts)
    each = ", ".join(f"{mart.mart} {mart.seconds:.2f} s" for mart in marts)
    return (f"publish: marts refreshed in {spent:.2f} s ({spent / seconds:.0%} of the publication): {each}",)


def _compare(
    lake: Lakehouse, connection: psycopg.Connection[Any], version: int, notes: dict[str, Any], last: dict[str, Any]
) -> Difference:
    """Find from the versions alone what must be looked at row by row."""
    published = last["tables"]
    at = {**notes["siblings"], FACT_SALES: version, **_made_from(lake, version, notes["run_id"])}
    tables = {table: _described(lake, table, at[table]) for table in at}
    whole = [table for table in COMPARED_WHOLE if not _is_published(tables[table], published.get(table))]
    months = {}
    for table in COMPARED_BY_MONTH:
        changed = changed_months(lake, table, at[table], published.get(table))
        if changed is None:
            held = connection.execute(statement(f"publish/months_of_{table.partition('.')[2]}").encode())
            changed = {month: [] for (month,) in held} | by_month(lake.files(table, at[table]))
        if changed:
            months[table] = changed
    rules = _rule_counts(lake, notes)
    known = {tuple(row) for row in connection.execute(statement("publish/rule_counts").encode())}
    wanted = {
        (row["rule_id"], row["outcome"], row["line_count"], None if row["amount"] is None else Decimal(row["amount"]))
        for row in rules
    }
    return Difference(tables, whole, months, rules, known != wanted)


def _made_from(lake: Lakehouse, version: int, run_id: str) -> dict[str, int]:
    """Give the versions of the tables that are made from the facts, which must be made from these very facts."""
    versions = {}
    for table in MADE_FROM_FACTS:
        latest = lake.latest(table)
        if latest is None or latest[1]["facts"] != {"version": version, "run_id": run_id}:
            step = table.partition(".")[2]
            raise DataError(
                f"{table} is not made from the newest facts", where=table,
                why=f"the facts have version {version}; it was made from {latest[1]['facts'] if latest else 'none'}",
                remedy=f"Run `retail run --step {step}`, or all steps: `retail run`.",
            )  # fmt: skip
        versions[table] = latest[0]
    return versions


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


def _stage(context: StepContext, connection: psycopg.Connection[Any], difference: Difference) -> dict[str, Staged]:
    """Copy the rows to compare into staging tables of this connection, file by file."""
    lake = context.lake
    files = {table: lake.files(table, difference.tables[table]["version"]) for table in difference.whole}
    for table, months in difference.months.items():
        files[table] = [file for of_month in months.values() for file in of_month]
    total, done = sum(len(of_table) for of_table in files.values()), 0
    staged, models = {}, {**COMPARED_WHOLE, **COMPARED_BY_MONTH}
    for table, of_table in files.items():
        staged[table] = stage(connection, models[table])
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
) -> tuple[int, dict[str, int], list[Refreshed]]:
    """Merge everything in one transaction; give the data version, the rows moved per table and the marts refreshed."""
    with connection.transaction():
        assert_none_outside(connection)
        changes = {table: merge_rows(staged[table]) for table in difference.whole}
        for table, months in difference.months.items():
            merge = merge_facts if table == FACT_SALES else merge_months
            changes[table] = merge(staged[table], list(months))
        for table in difference.whole:
            changes[table] += remove_vanished(staged[table])
        assert_equals_lake(connection, notes)
        moved = {table: change.rows for table, change in changes.items() if change.rows}
        marts = refresh_marts(connection, moved)
        none = Changes()
        for table, described in difference.tables.items():
            described["changed"] = changes.get(table, none).rows
        row = connection.execute(
            statement("publish/record").encode(),
            {
                "run_id": run_id,
                "tables": Jsonb(difference.tables),
                "dates": sorted(changes.get(FACT_SALES, none).dates),
                "products": sorted(changes.get(DIM_PRODUCTS, none).keys),
                "customers": sorted(changes.get(DIM_CUSTOMERS, none).keys),
            },
        ).fetchone()
        connection.execute(statement("publish/forget_rule_counts").encode())
        with connection.cursor() as cursor:
            cursor.executemany(statement("publish/rule_count").encode(), difference.rule_counts)
    data_version = int(row[0]) if row else 0
    return data_version, {table.partition(".")[2]: rows for table, rows in moved.items()}, marts
