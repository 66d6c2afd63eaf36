"""Bronze to silver: typed and judged lines, none twice, none lost. It plans and commits; its tasks do the work.

Reads: one version of bronze. Writes: silver.merged_lines, silver.rejected_lines, silver.retail_transactions (main,
committed last; it names the versions of the others and of bronze). Mode: append; rows are never changed.
"""

import time
from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import polars as pl

from cluster.lakehouse import Commit, RowCounts, TableVersion
from pipelines.bronze import Carried, bucket_count
from pipelines.bronze_parts import RefinedPart, refine_bronze_file
from pipelines.matching import BucketItem, Delivered, match_bucket
from pipelines.silver_parts import SilverCounts, SilverItem, write_silver
from pipelines.steps import Money, StepContext, StepResult, assert_reconciled
from pipelines.tasks import Row, nodes_of, run_tasks
from warehouse_sql.tables.arrow import arrow_schema
from warehouse_sql.tables.bronze import DEAD_LETTERS, FILES, SALES_LINES
from warehouse_sql.tables.silver import (
    MERGED,
    MONTH,
    REJECTED,
    TRANSACTIONS,
    MergedLine,
    RejectedLine,
    RetailTransaction,
)


def refine(context: StepContext, carried: Carried | None = None) -> StepResult:
    """Bring silver up to the newest bronze.

    Args:
        context: Settings, lake and report.
        carried: Lines that bronze has just refined; what it does not hold is refined from bronze.

    Returns:
        What was done; `changed` is False when bronze has nothing new.

    Raises:
        FatalError: Lines or money do not add up; nothing was committed.
    """
    began = time.monotonic()
    lake = context.lake
    lake.heal(TRANSACTIONS, (MERGED, REJECTED))
    before = lake.latest(TRANSACTIONS)
    notes = before[1] if before else {}
    bronze = lake.version(FILES)
    lines = None if bronze is None else lake.sibling_version(FILES, SALES_LINES, bronze)
    if bronze is None or lines is None or lines == notes.get("bronze_lines_version"):
        version = TableVersion(TRANSACTIONS, before[0], notes["run_id"]) if before else None
        return StepResult("silver", version, changed=False, messages=("silver: bronze has nothing new",))
    parts, refine_rows = _refined_parts(context, carried, bronze, lines, notes.get("bronze_lines_version"))
    buckets = carried.buckets if carried else bucket_count(sum(part.lines for part in parts), context)
    match_rows = _match(context, parts, buckets)
    rows = _write(context, parts, [row["decisions"] for row in match_rows])
    counts = sum((row["counts"] for row in rows), SilverCounts())
    read = sum((part.amount for part in parts), Decimal(0))
    row_counts = RowCounts(sum(part.lines for part in parts), counts.accepted, counts.rejected, counts.merged)
    money = Money(read, counts.accepted_amount, counts.rejected_amount, counts.merged_amount)
    assert_reconciled("silver", row_counts, money)
    version = _commit(context, rows, counts, notes, {"bronze_version": bronze, "bronze_lines_version": lines})
    nodes = {"refine": nodes_of(refine_rows), "match": nodes_of(match_rows), "silver": nodes_of(rows)}
    return StepResult(
        "silver", version, row_counts, money, time.monotonic() - began,
        messages=tuple(_messages(counts)), nodes={kind: count for kind, count in nodes.items() if count},
    )  # fmt: skip


def _refined_parts(
    context: StepContext, carried: Carried | None, bronze: int, lines: int, since: int | None
) -> tuple[list[RefinedPart], list[Row]]:
    """Give the refined lines of every bronze file that silver has not seen."""
    lake = context.lake
    seen = {file.uri for file in lake.files(SALES_LINES, since)} if since is not None else set()
    new = [file for file in lake.files(SALES_LINES, lines) if file.uri not in seen]
    root = lake.storage.table_uri(SALES_LINES)
    parts = {f"{root}/{part.written.path}": part for part in (carried.parts if carried else ()) if part.written}
    orders = dict(
        lake.scan(FILES, bronze)
        .filter(pl.col("outcome") == "ingested")
        .select("file_sha256", "date_order")
        .collect()
        .iter_rows()
    )
    buckets = carried.buckets if carried else bucket_count(sum(file.rows for file in new), context)
    items = [
        {
            "uri": file.uri, "batch_id": file.partition["batch_id"], "date_orders": orders,
            "buckets": buckets, "run_id": lake.run_id,
        }
        for file in new
        if file.uri not in parts
    ]  # fmt: skip
    rows = run_tasks(partial(refine_bronze_file, lake.storage, context.settings), items, "refine", context.report)
    own = [parts[file.uri] for file in new if file.uri in parts]
    return own + [RefinedPart(**row["part"]) for row in rows], rows


def _match(context: StepContext, parts: Sequence[RefinedPart], buckets: int) -> list[Row]:
    """Number equal lines and find those that are there, bucket by bucket."""
    lake = context.lake
    ranks = {sha: rank for rank, sha in enumerate(sorted({part.file_sha256 for part in parts}))}
    months = {month for part in parts for month in part.months}
    silver = lake.files(TRANSACTIONS) if lake.exists(TRANSACTIONS) else []
    rejected_at = lake.sibling_version(TRANSACTIONS, REJECTED)
    rejected = lake.files(REJECTED, rejected_at) if rejected_at is not None else []
    items = [
        BucketItem(
            bucket,
            buckets,
            tuple(
                Delivered(n, ranks[part.file_sha256], part.batch_id, part.scratch[2 + bucket])
                for n, part in enumerate(parts)
            ),
            tuple(file.uri for file in silver if file.partition[MONTH] in months),
            tuple(file.uri for file in rejected),
            f"{lake.storage.scratch_uri(lake.run_id)}/decisions-{bucket}.arrow",
        )
        for bucket in range(buckets)
    ]
    return run_tasks(partial(match_bucket, lake.storage), items, "match", context.report)


def _write(context: StepContext, parts: Sequence[RefinedPart], decisions: Sequence[str]) -> list[Row]:
    lake = context.lake
    items = [
        SilverItem(number, f"{lake.run_id}-{part.name}", part.scratch[0], part.scratch[1], tuple(decisions))
        for number, part in enumerate(parts)
    ]
    return run_tasks(partial(write_silver, lake.storage), items, "silver", context.report)


def _commit(
    context: StepContext, rows: Sequence[Row], counts: SilverCounts, notes: dict[str, Any], bronze: dict[str, int]
) -> TableVersion:
    """Commit merged and rejected lines, then the transactions with the totals of the whole table."""
    lake = context.lake
    siblings = dict(notes.get("siblings", {}))
    for table, kind, schema in (
        (MERGED, "merged", arrow_schema(MergedLine)),
        (REJECTED, "rejected", arrow_schema(RejectedLine)),
    ):
        written = [file for row in rows for file in row[kind]]
        if written:
            siblings[table] = lake.commit(table, Commit(written, schema)).version
    totals = {
        **bronze,
        "rows": notes.get("rows", 0) + counts.accepted,
        "amount": str(Decimal(notes.get("amount", 0)) + counts.accepted_amount),
        "rule_counts": _rule_counts(context, notes.get("rule_counts", []), counts),
        "siblings": siblings,
    }
    files = [file for row in rows for file in row["accepted"]]
    return lake.commit(TRANSACTIONS, Commit(files, arrow_schema(RetailTransaction), (MONTH,), notes=totals))


def _rule_counts(context: StepContext, before: list[dict[str, Any]], counts: SilverCounts) -> list[dict[str, Any]]:
    """Add this run's counts to those of the table: rule, outcome, lines and money."""
    totals: dict[tuple[str, str], tuple[int, Decimal]] = {}
    for row in before:
        totals[row["rule_id"], row["outcome"]] = row["line_count"], Decimal(row["amount"] or 0)
    for key, (lines, amount) in counts.by_rule.items():
        old = totals.get(key, (0, Decimal(0)))
        totals[key] = old[0] + lines, old[1] + amount
    rows = [
        {"rule_id": rule_id, "outcome": outcome, "line_count": lines, "amount": str(amount)}
        for (rule_id, outcome), (lines, amount) in sorted(totals.items())
        if outcome != "dead_letter"
    ]
    return rows + _dead_letter_counts(context)


def _dead_letter_counts(context: StepContext) -> list[dict[str, Any]]:
    lake = context.lake
    version = lake.sibling_version(FILES, DEAD_LETTERS)
    if version is None:
        return []
    reasons = lake.scan(DEAD_LETTERS, version).group_by("reason").len().sort("reason").collect()
    return [
        {"rule_id": reason, "outcome": "dead_letter", "line_count": lines, "amount": None}
        for reason, lines in reasons.iter_rows()
    ]


def _messages(counts: SilverCounts) -> list[str]:
    messages = []
    if counts.merged:
        messages.append(
            f"silver: {counts.merged:,} lines were already there and were merged (£ {counts.merged_amount:,})"
        )
    for name, what in (
        ("possible_split", "may stem from a delivery cut between two equal lines"),
        ("equal_lines_only", "belong to invoices of equal lines only, where a cut cannot be told from a re-delivery"),
    ):
        lines, amount = counts.by_rule.get((name, "merged"), (0, Decimal(0)))
        if lines:
            messages.append(f"silver: {lines:,} merged lines {what} (£ {amount:,}); see `retail rejects`")
    return messages
