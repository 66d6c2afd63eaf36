"""Gold's facts to customers by month: plans which months have changed, has them made, commits them.

Reads: one version of gold.fact_sales and the dim_customers that it names. Writes: gold.customer_monthly, whose notes
name that version. Mode: months whose facts changed are replaced.
"""

import time
from collections.abc import Mapping, Sequence
from decimal import Decimal

import polars as pl

from cluster.lakehouse import Commit, DataFile, Mode, RowCounts, TableVersion
from pipelines.joins.choice import Size
from pipelines.joins.duckdb_engine import JoinItem
from pipelines.joins.engines import Engines
from pipelines.joins.facts_read import facts_read
from pipelines.joins.join import Join, join_sql
from pipelines.months import Months, by_month, changed_months
from pipelines.steps import Money, StepContext, StepResult
from warehouse_sql.tables.arrow import arrow_schema
from warehouse_sql.tables.gold import CUSTOMER_MONTHLY, DIM_CUSTOMERS, FACT_SALES, GUEST_KEY, CustomerMonth
from warehouse_sql.tables.silver import MONTH

STEP = "customer_monthly"
ROWS_PER_TASK = 2_000_000
SCHEMA = arrow_schema(CustomerMonth).append(arrow_schema(CustomerMonth).field("customer_id").with_name(MONTH))


def build(context: StepContext, engines: Engines) -> StepResult:
    """Bring gold.customer_monthly up to the newest facts.

    Args:
        context: Settings, lake and report.
        engines: Of this run.

    Returns:
        What was done; `changed` is False when the facts have nothing new.

    Raises:
        PlatformError: The engine failed; nothing was committed.
    """
    began, lake = time.monotonic(), context.lake
    facts = facts_read(lake)
    if facts is None:
        return StepResult(STEP, None, changed=False)
    latest = lake.latest(CUSTOMER_MONTHLY)
    stale = changed_months(lake, FACT_SALES, facts.version, latest[1]["facts"] if latest else None)
    if latest and stale is not None and not stale:
        standing = TableVersion(CUSTOMER_MONTHLY, latest[0], latest[1]["run_id"])
        return StepResult(STEP, standing, changed=False, messages=(f"{STEP}: the facts have nothing new",))
    months = by_month(lake.files(FACT_SALES, facts.version)) if stale is None else stale
    size = Size(sum(file.rows for files in months.values() for file in files), "rows of facts")
    choice = engines.choose(CUSTOMER_MONTHLY, size)
    customers = tuple(file.uri for file in lake.files(DIM_CUSTOMERS, facts.siblings[DIM_CUSTOMERS]))
    parts = [
        JoinItem(_join(part, customers), f"{lake.run_id}-{number:03}") for number, part in enumerate(_parts(months))
    ]
    files, nodes = engines.run(choice, _join(months, customers), parts) if size.count else ([], {})
    mode: Mode = "overwrite" if stale is None else "replace"
    kept = [] if stale is None else [f for f in lake.files(CUSTOMER_MONTHLY) if f.partition[MONTH] not in months]
    rows = sum(file.rows for file in kept) + sum(file.rows for file in files)
    notes = {"facts": facts.seen, "rows": rows, "engine": choice.engine}
    version = lake.commit(CUSTOMER_MONTHLY, Commit(files, SCHEMA, (MONTH,), mode, sorted(months), notes))
    net = _net(context, version)
    return StepResult(
        STEP, version, RowCounts(rows, rows), Money(net, net), time.monotonic() - began,
        messages=(f"{STEP}: {len(months)} months built ({choice.reason})",), nodes={STEP: nodes},
    )  # fmt: skip


def _join(months: Months, customers: tuple[str, ...]) -> Join:
    facts = tuple(file.uri for files in months.values() for file in files)
    views = {"fact_sales": facts, "dim_customers": customers}
    return Join(CUSTOMER_MONTHLY, join_sql(STEP), views, {"guest_key": GUEST_KEY}, (MONTH,))


def _parts(months: Mapping[str, Sequence[DataFile]]) -> list[Months]:
    """Put whole months together until a task has enough to read; months without lines need none."""
    parts: list[Months] = []
    rows = ROWS_PER_TASK
    for month, files in sorted(months.items()):
        if not files:
            continue
        size = sum(file.rows for file in files)
        if rows + size > ROWS_PER_TASK:
            parts.append({})
            rows = 0
        parts[-1][month] = list(files)
        rows += size
    return parts


def _net(context: StepContext, version: TableVersion) -> Decimal:
    """Add up the money of all months, without holding the table."""
    scanned = context.lake.scan(CUSTOMER_MONTHLY, version.version)
    return Decimal(scanned.select(pl.col("net").sum()).collect(engine="streaming").item())
