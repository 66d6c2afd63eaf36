"""Gold's facts to pairs of products that are bought together: measures the baskets, has the pairs made, commits them.

Reads: one version of gold.fact_sales and the dim_products that it names. Writes: gold.basket_pairs, whose notes name
that version. Mode: overwrite, since each new basket changes the total of every pair.
"""

import time
from typing import Any

from cluster.lakehouse import Commit, RowCounts, TableVersion
from pipelines.joins.choice import Size
from pipelines.joins.duckdb_engine import JoinItem, run_query
from pipelines.joins.engines import Engines
from pipelines.joins.facts_read import FactsRead, facts_read
from pipelines.joins.join import Join, Value, join_sql
from pipelines.steps import StepContext, StepResult
from warehouse_sql.tables.arrow import arrow_schema
from warehouse_sql.tables.gold import BASKET_PAIRS, DIM_PRODUCTS, FACT_SALES, BasketPair

STEP = "basket_pairs"
SCHEMA = arrow_schema(BasketPair)
SETTING = {"max_products": "RETAIL_BASKET_MAX_PRODUCTS", "min_support": "RETAIL_BASKET_MIN_SUPPORT"}


def build(context: StepContext, engines: Engines) -> StepResult:
    """Bring gold.basket_pairs up to the newest facts and settings.

    Args:
        context: Settings, lake and report.
        engines: Of this run.

    Returns:
        What was done; `changed` is False when facts and settings are those of the last time.

    Raises:
        PlatformError: The engine failed; nothing was committed.
    """
    began, lake, settings = time.monotonic(), context.lake, context.settings
    facts = facts_read(lake)
    if facts is None:
        return StepResult(STEP, None, changed=False)
    values: dict[str, Value] = {
        "max_products": settings.basket_max_products, "min_support": str(settings.basket_min_support.normalize()),
    }  # fmt: skip
    made_from = {"facts": facts.seen, "values": values}
    latest = lake.latest(BASKET_PAIRS)
    if latest and {name: latest[1][name] for name in made_from} == made_from:
        standing = TableVersion(BASKET_PAIRS, latest[0], latest[1]["run_id"])
        return StepResult(STEP, standing, changed=False, messages=(f"{STEP}: the facts have nothing new",))
    views = _views(context, facts)
    bounds = engines.bounds()
    [sizes] = run_query(lake.storage, Join("baskets", join_sql("basket_sizes"), views, values), bounds, context.report)
    choice = engines.choose(BASKET_PAIRS, Size(sizes["ordered_pairs"] // 2, "pairs of products in baskets"))
    join = Join(BASKET_PAIRS, join_sql(STEP), views, values)
    files, nodes = engines.run(choice, join, [JoinItem(join, lake.run_id)])
    pairs = sum(file.rows for file in files)
    notes: dict[str, Any] = {**made_from, **sizes, "rows": pairs, "engine": choice.engine}
    version = lake.commit(BASKET_PAIRS, Commit(files, SCHEMA, mode="overwrite", notes=notes))
    before = latest[1]["values"] if latest else values
    return StepResult(
        STEP, version, RowCounts(pairs, pairs), seconds=time.monotonic() - began, nodes={STEP: nodes},
        messages=(
            f"{STEP}: {pairs:,} pairs from {sizes['baskets']:,} baskets; {sizes['left_out']:,} invoices with more than "
            f"{settings.basket_max_products} products left out ({choice.reason})",
            *(
                f"{STEP}: {SETTING[name]} was {before[name]}, is {now}"
                for name, now in values.items()
                if before[name] != now
            ),
        ),
    )  # fmt: skip


def _views(context: StepContext, facts: FactsRead) -> dict[str, tuple[str, ...]]:
    lake = context.lake
    versions = {FACT_SALES: facts.version, DIM_PRODUCTS: facts.siblings[DIM_PRODUCTS]}
    return {
        table.partition(".")[2]: tuple(file.uri for file in lake.files(table, at)) for table, at in versions.items()
    }
