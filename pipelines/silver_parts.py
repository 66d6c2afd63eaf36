"""The task of silver: one part's refined lines and the decisions about them to Parquet; it commits nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import polars as pl

from cluster.delta_sink import WrittenFile, write_file
from cluster.storage import Storage
from pipelines.identity import line_ids
from pipelines.rules import ERRORS, WARNINGS, count_rules, judge_repeats, rule_ids, verdicts
from pipelines.scratch import scan_scratch
from pipelines.tasks import Row
from warehouse_sql.tables.silver import (
    MERGED,
    MONTH,
    REJECTED,
    TRANSACTIONS,
    MergedLine,
    RejectedLine,
    RetailTransaction,
)

Key = tuple[str, str]
"""(rule id or reason, outcome)."""


@dataclass(frozen=True)
class SilverItem:
    """What one silver task is given.

    Attributes:
        part: Number of the part in the run.
        name: Distinct name of its files.
        accepted_uri: Scratch file of accepted lines.
        rejected_uri: Scratch file of rejected lines.
        decisions: Scratch files of all buckets' exceptions.
    """

    part: int
    name: str
    accepted_uri: str
    rejected_uri: str
    decisions: tuple[str, ...]


@dataclass(frozen=True)
class SilverCounts:
    """Lines and money by outcome, and by rule; they add up over tasks."""

    accepted: int = 0
    rejected: int = 0
    merged: int = 0
    accepted_amount: Decimal = Decimal(0)
    rejected_amount: Decimal = Decimal(0)
    merged_amount: Decimal = Decimal(0)
    by_rule: Mapping[Key, tuple[int, Decimal]] = field(default_factory=dict)

    def __add__(self, other: "SilverCounts") -> "SilverCounts":
        """Add counts field by field."""
        by_rule = dict(self.by_rule)
        for key, (lines, amount) in other.by_rule.items():
            before = by_rule.get(key, (0, Decimal(0)))
            by_rule[key] = before[0] + lines, before[1] + amount
        numbers = {name: value + getattr(other, name) for name, value in vars(self).items() if name != "by_rule"}
        return SilverCounts(**numbers, by_rule=by_rule)


def write_silver(storage: Storage, item: SilverItem) -> Row:
    """Write the silver rows of one part.

    Args:
        storage: The lake.
        item: The part.

    Returns:
        `accepted`, `rejected`, `merged`: the files written; `counts`: a `SilverCounts`.
    """
    decisions = pl.concat([scan_scratch(storage, uri).filter(pl.col("part") == item.part) for uri in item.decisions])
    exceptions = decisions.drop("part").collect()
    accepted, merged_accepted = _decide(scan_scratch(storage, item.accepted_uri).collect(), exceptions)
    rejected, merged_rejected = _decide(scan_scratch(storage, item.rejected_uri).collect(), exceptions)
    merged = pl.concat([_merged(merged_accepted, "total_amount"), _merged(merged_rejected, "amount")])
    masks = judge_repeats(accepted)
    lines = accepted.hstack(verdicts(masks)).rename({"row_id": "source_row_id"})
    rejected = rejected.with_columns(
        pl.Series("rule_ids", [rule_ids(mask, ERRORS) for mask in rejected["errors"]], dtype=pl.List(pl.String))
    ).rename({"row_id": "source_row_id"})
    by_rule = {
        **_by_outcome(count_rules(masks, accepted["total_amount"], WARNINGS), "warned"),
        **_by_outcome(count_rules(rejected["errors"], rejected["amount"], ERRORS), "rejected"),
        **_merged_counts(merged),
    }
    counts = SilverCounts(
        accepted.height, rejected.height, merged.height,
        _sum(accepted["total_amount"]), _sum(rejected["amount"]), _sum(merged["amount"]), by_rule,
    )  # fmt: skip
    return {
        "accepted": _write_months(storage, item.name, lines),
        "rejected": _write(storage, REJECTED, item.name, rejected.select(RejectedLine.model_fields.keys())),
        "merged": _write(storage, MERGED, item.name, merged),
        "counts": counts,
    }


def _decide(lines: pl.DataFrame, exceptions: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Give lines their occurrence and id, and part those that stay from those that are merged."""
    decided = lines.join(exceptions, on="row_number", how="left", maintain_order="left").with_columns(
        pl.col("occurrence").fill_null(1), pl.col("merged").fill_null(value=False)
    )
    decided = decided.with_columns(line_ids(decided["line_hash"], decided["occurrence"]).alias("line_id"))
    return decided.filter(~pl.col("merged")), decided.filter("merged")


def _merged(lines: pl.DataFrame, amount: str) -> pl.DataFrame:
    return lines.select(
        "line_id",
        pl.col("invoice_key").alias("invoice_no"),
        pl.col(amount).cast(pl.Decimal(38, 4)).alias("amount"),
        pl.col("row_id").alias("source_row_id"),
        *MergedLine.model_fields.keys() - {"line_id", "invoice_no", "amount", "source_row_id"},
    ).select(MergedLine.model_fields.keys())


def _merged_counts(merged: pl.DataFrame) -> dict[Key, tuple[int, Decimal]]:
    groups = {"re_delivered": merged}
    groups |= {flag: merged.filter(flag) for flag in ("possible_split", "equal_lines_only")}
    return {(name, "merged"): (rows.height, _sum(rows["amount"])) for name, rows in groups.items() if rows.height}


def _by_outcome(counts: Mapping[str, tuple[int, Decimal]], outcome: str) -> dict[Key, tuple[int, Decimal]]:
    return {(rule_id, outcome): count for rule_id, count in counts.items()}


def _write_months(storage: Storage, name: str, lines: pl.DataFrame) -> list[WrittenFile]:
    """Write one file per month, since silver is partitioned by it."""
    columns = [column for column in RetailTransaction.model_fields if column != MONTH]
    return [
        write_file(storage, TRANSACTIONS, name, month.select(columns), {MONTH: str(key)})
        for (key,), month in lines.partition_by(MONTH, as_dict=True, maintain_order=True).items()
    ]


def _write(storage: Storage, table: str, name: str, rows: pl.DataFrame) -> Sequence[WrittenFile]:
    return [write_file(storage, table, name, rows)] if rows.height else []


def _sum(amounts: pl.Series) -> Decimal:
    return Decimal(amounts.sum() or 0)
