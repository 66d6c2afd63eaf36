"""Silver to gold: plans what has changed, lets tasks make it, commits it.

Reads: one version of silver.retail_transactions. Writes: gold.dim_date, dim_country, dim_customers, dim_products, then
gold.fact_sales (main, committed last; it names the versions of the others and of silver). Mode: dimensions are
overwritten when a row of theirs differs; facts are replaced month by month, only months with new lines or moved keys.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

import polars as pl
from sqlmodel import SQLModel

from cluster.delta_sink import WrittenFile, write_file
from cluster.errors import FatalError
from cluster.lakehouse import Commit, DataFile, LakeWriter, RowCounts, TableVersion
from pipelines.countries import countries
from pipelines.gold.dimensions import DIMENSIONS, ObserveItem, VersionsItem, build_versions, dates, observe_files
from pipelines.gold.facts import FactItem, SumItem, sum_amounts, write_facts
from pipelines.joins.choice import Size
from pipelines.joins.engines import Engines
from pipelines.joins.join import Join, join_sql
from pipelines.steps import Money, StepContext, StepResult, assert_reconciled
from pipelines.tasks import Row, nodes_of, run_tasks
from warehouse_sql.tables.arrow import arrow_schema
from warehouse_sql.tables.gold import (
    DIM_COUNTRY,
    DIM_CUSTOMERS,
    DIM_DATE,
    DIM_PRODUCTS,
    FACT_SALES,
    GUEST_KEY,
    DimCountry,
    DimCustomer,
    DimDate,
    DimProduct,
    FactSale,
)
from warehouse_sql.tables.silver import MONTH, TRANSACTIONS

SIBLINGS = (DIM_DATE, DIM_COUNTRY, DIM_CUSTOMERS, DIM_PRODUCTS)
MODELS: dict[str, type[SQLModel]] = {DIM_CUSTOMERS: DimCustomer, DIM_PRODUCTS: DimProduct}
ROWS_PER_TASK = 500_000
KEYS_ROWS_PER_BUCKET = 2_000_000
"""Silver rows whose keys one task can hold with ease: each gives at most two observations."""
FACT_SCHEMA = arrow_schema(FactSale).append(arrow_schema(FactSale).field("country").with_name(MONTH))


@dataclass(frozen=True)
class Plan:
    """What silver has, and which months of it gold has not seen."""

    silver: TableVersion
    files: tuple[DataFile, ...]
    new_months: frozenset[str]
    notes: dict[str, Any]
    """Notes of the fact table as it stands, empty when gold is made from nothing."""


def build(context: StepContext, engines: Engines) -> StepResult:
    """Bring gold up to the newest silver.

    Args:
        context: Settings, lake and report.
        engines: Of this run; local facts are Ray Data tasks on Polars, one per part of a month.

    Returns:
        What was done; `changed` is False when silver has nothing new.

    Raises:
        FatalError: Facts and silver do not agree in lines or money; nothing was committed.
    """
    began = time.monotonic()
    lake = context.lake
    lake.heal(FACT_SALES, SIBLINGS)
    plan = _plan(lake)
    if plan is None or not plan.new_months:
        return StepResult("gold", _standing(lake), changed=False, messages=("gold: silver has nothing new",))
    siblings, moved, nodes = _dimensions(context, plan)
    stale = plan.new_months | moved
    size = Size(sum(file.rows for file in plan.files if file.partition[MONTH] in stale), "rows of silver")
    choice = engines.choose(FACT_SALES, size)
    make = _facts if choice.engine == "local" else partial(_facts_on_spark, engines)
    rows = make(context, plan, stale, siblings)
    months = {**plan.notes.get("months", {}), **_month_totals(rows)}
    total_rows = sum(count for count, _ in months.values())
    amount = sum((Decimal(money) for _, money in months.values()), Decimal(0))
    _assert_equals_silver(lake, plan, total_rows, amount)
    notes = {
        "silver_version": plan.silver.version, "silver_run_id": plan.silver.run_id, "siblings": siblings,
        "rows": total_rows, "amount": str(amount), "months": months,
    }  # fmt: skip
    files = [row["file"] for row in rows]
    commit = Commit(files, FACT_SCHEMA, (MONTH,), "replace" if plan.notes else "overwrite", sorted(stale), notes)
    version = lake.commit(FACT_SALES, commit)
    counts, money = RowCounts(total_rows, total_rows), Money(amount, amount)
    assert_reconciled("gold", counts, money)
    return StepResult(
        "gold", version, counts, money, time.monotonic() - began,
        messages=(f"gold: {len(stale)} of {len(months)} months built ({choice.reason})",),
        nodes={**nodes, "facts": nodes_of(rows)},
    )  # fmt: skip


def _standing(lake: LakeWriter) -> TableVersion | None:
    latest = lake.latest(FACT_SALES)
    return TableVersion(FACT_SALES, latest[0], latest[1]["run_id"]) if latest else None


def _plan(lake: LakeWriter) -> Plan | None:
    latest = lake.latest(TRANSACTIONS)
    if latest is None:
        return None
    silver = TableVersion(TRANSACTIONS, latest[0], latest[1]["run_id"])
    files = lake.files(TRANSACTIONS, silver.version)
    gold = lake.latest(FACT_SALES)
    notes = gold[1] if gold and _comes_from(lake, gold[1], silver) else {}
    seen = {file.uri for file in lake.files(TRANSACTIONS, notes["silver_version"])} if notes else set()
    new = frozenset(str(file.partition[MONTH]) for file in files if file.uri not in seen)
    return Plan(silver, tuple(files), new, notes)


def _comes_from(lake: LakeWriter, notes: dict[str, Any], silver: TableVersion) -> bool:
    """Whether gold was built from an earlier version of this very silver table, not of one made anew since."""
    version = notes["silver_version"]
    return bool(version <= silver.version) and lake.notes(TRANSACTIONS, version)["run_id"] == notes["silver_run_id"]


def _dimensions(context: StepContext, plan: Plan) -> tuple[dict[str, int], frozenset[str], dict[str, dict[str, int]]]:
    """Make and commit the dimensions; give their versions, the months whose facts move, and where tasks ran."""
    lake = context.lake
    siblings: dict[str, int] = dict(plan.notes.get("siblings", {}))
    months = [str(file.partition[MONTH]) for file in plan.files]
    static: list[tuple[str, pl.DataFrame, type[SQLModel]]] = [
        (DIM_DATE, dates(months), DimDate),
        (DIM_COUNTRY, countries(), DimCountry),
    ]
    for table, frame, model in static:
        if table not in siblings or not _same_rows(lake, table, siblings[table], frame):
            file = write_file(lake.storage, table, lake.run_id, frame)
            siblings[table] = lake.commit(table, Commit([file], arrow_schema(model), mode="overwrite")).version
    observed, rows = _observe(context, plan), []
    for dimension in DIMENSIONS:
        old = lake.files(dimension.table, siblings[dimension.table]) if dimension.table in siblings else []
        buckets = len(observed[0]["scratch"][dimension.table])
        items = [
            VersionsItem(
                dimension, bucket, buckets, tuple(row["scratch"][dimension.table][bucket] for row in observed),
                tuple(file.uri for file in old), f"{lake.run_id}-{bucket:03}",
            )
            for bucket in range(buckets)
        ]  # fmt: skip
        built = run_tasks(partial(build_versions, lake.storage), items, dimension.table, context.report)
        files: list[WrittenFile] = [row["file"] for row in built]
        if any(row["changed"] for row in built):
            commit = Commit(files, arrow_schema(MODELS[dimension.table]), mode="overwrite")
            siblings[dimension.table] = lake.commit(dimension.table, commit).version
        else:
            for file in files:
                lake.storage.remove_file(f"{lake.storage.table_uri(dimension.table)}/{file.path}")
        rows += built
    moved = frozenset(month for row in rows for month in row["months"])
    return siblings, moved, {"observe": nodes_of(observed), "versions": nodes_of(rows)}


def _same_rows(lake: LakeWriter, table: str, version: int, frame: pl.DataFrame) -> bool:
    stands = lake.scan(table, version).select(frame.columns).collect()
    return (
        stands.height == frame.height and stands.join(frame, on=frame.columns, how="anti", nulls_equal=True).is_empty()
    )


def _observe(context: StepContext, plan: Plan) -> list[Row]:
    lake = context.lake
    scratch = lake.storage.scratch_uri(lake.run_id)
    buckets = max(1, -(-sum(file.rows for file in plan.files) // KEYS_ROWS_PER_BUCKET))
    items = [
        ObserveItem(tuple(file.uri for file in group), f"{scratch}/observed-{number:05}", buckets)
        for number, group in enumerate(_groups(plan.files))
    ]
    return run_tasks(partial(observe_files, lake.storage), items, "observe", context.report)


def _facts(context: StepContext, plan: Plan, months: frozenset[str], siblings: dict[str, int]) -> list[Row]:
    lake = context.lake
    dims = {
        table: tuple(file.uri for file in lake.files(table, siblings[table])) for table in (DIM_CUSTOMERS, DIM_PRODUCTS)
    }
    items = [
        FactItem(
            month, tuple(file.uri for file in group), dims[DIM_CUSTOMERS], dims[DIM_PRODUCTS], f"{lake.run_id}-{n:03}"
        )
        for month in sorted(months)
        for n, group in enumerate(_groups([file for file in plan.files if file.partition[MONTH] == month]))
    ]
    return run_tasks(partial(write_facts, lake.storage), items, "facts", context.report)


def _facts_on_spark(
    engines: Engines, context: StepContext, plan: Plan, months: frozenset[str], siblings: dict[str, int]
) -> list[Row]:
    lake = context.lake
    files = {
        table.partition(".")[2]: tuple(file.uri for file in lake.files(table, siblings[table])) for table in SIBLINGS
    }
    files["silver"] = tuple(file.uri for file in plan.files if file.partition[MONTH] in months)
    join = Join(FACT_SALES, join_sql("fact_sales"), files, {"guest_key": GUEST_KEY}, (MONTH,))
    items = [SumItem(file.partition[MONTH], file) for file in engines.run_spark(join)]
    return run_tasks(partial(sum_amounts, lake.storage), items, "sum facts", context.report)


def _groups(files: Sequence[DataFile]) -> list[list[DataFile]]:
    """Group files so that a task reads about `ROWS_PER_TASK` rows."""
    groups: list[list[DataFile]] = []
    rows = ROWS_PER_TASK
    for file in files:
        if rows + file.rows > ROWS_PER_TASK:
            groups.append([])
            rows = 0
        groups[-1].append(file)
        rows += file.rows
    return groups


def _month_totals(rows: Sequence[Row]) -> dict[str, tuple[int, str]]:
    totals: dict[str, tuple[int, Decimal]] = {}
    for row in rows:
        count, amount = totals.get(row["month"], (0, Decimal(0)))
        totals[row["month"]] = count + row["rows"], amount + row["amount"]
    return {month: (count, str(amount)) for month, (count, amount) in totals.items()}


def _assert_equals_silver(lake: LakeWriter, plan: Plan, rows: int, amount: Decimal) -> None:
    silver = lake.notes(TRANSACTIONS, plan.silver.version)
    if rows != silver["rows"] or amount != Decimal(silver["amount"]):
        raise FatalError(
            "Facts and silver do not agree", where=FACT_SALES,
            why=f"facts {rows} rows, {amount}; silver {silver['rows']} rows, {silver['amount']}",
            remedy="The old version stays; report this.",
        )  # fmt: skip
