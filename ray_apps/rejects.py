"""`retail rejects`: what did not become a line of silver, by reason, and the lines as CSV; changes nothing."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from cluster.delta_sink import read_files
from cluster.errors import ConfigurationError
from cluster.lakehouse import Lakehouse
from cluster.settings import Settings
from cluster.storage import Storage
from pipelines.rules import RULES
from ray_apps.console import say, show_json, show_table
from warehouse_sql.tables.bronze import DEAD_LETTERS, FILES, SOURCE_COLUMNS
from warehouse_sql.tables.silver import MERGED, REJECTED, TRANSACTIONS

EXPORTED = ("outcome", "reasons", "file_name", "row_number", "amount", "source_row_id", "kept_row_id", "raw_text")
MERGED_REASONS = {
    "re_delivered": "The line was already there; all merged lines.",
    "possible_split": "Of these: the delivery may be one that was cut between two equal lines.",
    "equal_lines_only": "Of these: an invoice of equal lines only, where a cut cannot be told from a re-delivery.",
}


def show_rejects(settings: Settings, export: Path | None, as_json: bool) -> None:
    """Show what did not become a line of silver, by reason.

    Args:
        settings: Of this process.
        export: CSV file that gets the lines.
        as_json: Whether to print JSON.
    """
    lake = Lakehouse(Storage.of(settings))
    reasons = _reasons(lake)
    exported = _export(lake, export) if export else None
    if as_json:
        show_json({"reasons": reasons, "exported": exported and {"file": str(export), "lines": exported}})
        return
    rows = [
        (row["outcome"].replace("_", " "), row["rule_id"], row["line_count"], _money(row["amount"]), row["why"])
        for row in reasons
    ]
    show_table("Lines that are not in silver", ("outcome", "reason", "lines", "money", "why"), rows)
    if exported is not None:
        say(f"{exported:,} lines written to {export}")


def _reasons(lake: Lakehouse) -> list[dict[str, Any]]:
    """Give rule_id, outcome, line_count, amount (decimal string) and why, as the newest silver counted them."""
    latest = lake.latest(TRANSACTIONS)
    why = {rule.rule_id: rule.reason for rule in RULES} | MERGED_REASONS
    counts = latest[1]["rule_counts"] if latest else []
    return [row | {"why": why.get(row["rule_id"], "")} for row in counts if row["outcome"] != "warned"]


def _money(amount: str | None) -> Decimal | None:
    return None if amount is None else Decimal(amount)


def _export(lake: Lakehouse, target: Path) -> int:
    """Write the lines file by file, so that none of the tables is ever held whole; give their number."""
    lines = 0
    try:
        with target.open("wb") as out:
            out.write((",".join((*EXPORTED, *SOURCE_COLUMNS)) + "\n").encode())
            for frame in _exported(lake):
                frame.select(*EXPORTED, *SOURCE_COLUMNS).write_csv(out, include_header=False)
                lines += frame.height
    except OSError as error:
        raise ConfigurationError(
            "The file cannot be written", where=str(target), why=error.strerror or str(error),
            remedy="Name another with --export.",
        ) from error  # fmt: skip
    return lines


def _exported(lake: Lakehouse) -> Iterator[pl.DataFrame]:
    columns = {name: pl.lit(None, pl.String).alias(name) for name in (*EXPORTED, *SOURCE_COLUMNS)}
    for main, table, outcome in (
        (TRANSACTIONS, REJECTED, "rejected"),
        (TRANSACTIONS, MERGED, "merged"),
        (FILES, DEAD_LETTERS, "dead_letter"),
    ):
        version = lake.sibling_version(main, table)
        for file in lake.files(table, version) if version is not None else ():
            frame = read_files(lake.storage, [file.uri])
            missing = [column for name, column in columns.items() if name not in frame.columns]
            yield frame.with_columns(*missing).with_columns(outcome=pl.lit(outcome), reasons=_REASON_OF[outcome])


_REASON_OF = {
    "rejected": pl.col("rule_ids").list.join(";"),
    "merged": pl.when("possible_split").then(pl.lit("possible_split"))
    .when("equal_lines_only").then(pl.lit("equal_lines_only")).otherwise(pl.lit("re_delivered")),
    "dead_letter": pl.col("reason"),
}  # fmt: skip
"""How a line of each table says why it is there."""
