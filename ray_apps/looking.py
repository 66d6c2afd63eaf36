"""`retail status`, `rejects`, `history`, `config show`: reads the lake and the record of runs, changes nothing."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from cluster.delta_sink import read_files
from cluster.errors import DataError
from cluster.lakehouse import Lakehouse
from cluster.settings import Settings
from cluster.storage import Storage
from cluster.warehouse import running_warehouse
from pipelines.runs import last_runs
from ray_apps.console import OUT, say, show_json, show_table
from warehouse_sql.tables.bronze import DEAD_LETTERS, FILES, SALES_LINES, SOURCE_COLUMNS
from warehouse_sql.tables.gold import FACT_SALES
from warehouse_sql.tables.silver import MERGED, REJECTED, TRANSACTIONS

LAYERS = (("bronze", FILES, SALES_LINES), ("silver", TRANSACTIONS, TRANSACTIONS), ("gold", FACT_SALES, FACT_SALES))
"""Layer, the table whose commits end its step, the table that holds its lines."""
EXPORTED = ("outcome", "reasons", "file_name", "row_number", "amount", "source_row_id", "kept_row_id", "raw_text")


def show_status(settings: Settings, as_json: bool) -> None:
    """Show each layer's version, rows and money, what is published, and the last runs.

    Args:
        settings: Of this process.
        as_json: Whether to print JSON.
    """
    lake = Lakehouse(Storage.of(settings))
    layers = [_layer(lake, *layer) for layer in LAYERS]
    runs = _runs(settings)
    if as_json:
        show_json({"lake": lake.storage.root, "layers": layers, "runs": runs})
        return
    columns = ("layer", "table", "version", "rows", "money", "last run")
    show_table(f"Lake {lake.storage.root}", columns, [tuple(layer.values()) for layer in layers])
    names = ("run_id", "command", "status", "started_at", "ended_at", "error")
    rows = [tuple(_shown(run[name]) for name in names) for run in runs]
    show_table("Last runs", ("run", "command", "status", "started", "ended", "error"), rows)


def _layer(lake: Lakehouse, layer: str, main: str, lines: str) -> dict[str, Any]:
    latest = lake.latest(main)
    if latest is None:
        return {"layer": layer, "table": lines, "version": None, "rows": 0, "money": Decimal(0), "run": None}
    version, notes = latest
    if main != lines:
        version = notes.get("siblings", {}).get(lines)
    rows, amount = notes.get("rows", 0), Decimal(notes.get("amount", 0))
    return {
        "layer": layer,
        "table": lines,
        "version": version,
        "rows": rows,
        "money": amount,
        "run": notes.get("run_id"),
    }


def _runs(settings: Settings) -> list[dict[str, Any]]:
    """Read the last runs; a home whose warehouse was never started has none."""
    if settings.embedded_warehouse and not (settings.home / "warehouse").is_dir():
        return []
    with running_warehouse(settings) as url:
        return last_runs(url, 10)


def show_rejects(settings: Settings, export: Path | None, as_json: bool) -> None:
    """Show what did not become a line of silver, by reason.

    Args:
        settings: Of this process.
        export: CSV file that gets the lines.
        as_json: Whether to print JSON.
    """
    lake = Lakehouse(Storage.of(settings))
    latest = lake.latest(TRANSACTIONS)
    counts = [row for row in latest[1]["rule_counts"] if row["outcome"] != "warned"] if latest else []
    exported = _export(lake, export) if export else None
    if as_json:
        show_json({"reasons": counts, "exported": exported and {"file": str(export), "lines": exported}})
        return
    rows = [
        (row["outcome"].replace("_", " "), row["rule_id"], row["line_count"], row["amount"] and Decimal(row["amount"]))
        for row in counts
    ]
    show_table("Lines that are not in silver", ("outcome", "reason", "lines", "money"), rows)
    if export:
        say(f"{exported:,} lines written to {export}")


def _export(lake: Lakehouse, target: Path) -> int:
    """Write the lines file by file, so that none of the tables is ever held whole; give their number."""
    lines = 0
    with target.open("wb") as out:
        out.write((",".join((*EXPORTED, *SOURCE_COLUMNS)) + "\n").encode())
        for frame in _exported(lake):
            frame.select(*EXPORTED, *SOURCE_COLUMNS).write_csv(out, include_header=False)
            lines += frame.height
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
            reasons = {
                "rejected": lambda: pl.col("rule_ids").list.join(";"),
                "merged": lambda: (
                    pl.when("possible_split").then(pl.lit("possible_split"))
                    .when("equal_lines_only").then(pl.lit("equal_lines_only")).otherwise(pl.lit("re_delivered"))
                ),
                "dead_letter": lambda: pl.col("reason"),
            }[outcome]()  # fmt: skip
            missing = [column for name, column in columns.items() if name not in frame.columns]
            yield frame.with_columns(*missing).with_columns(outcome=pl.lit(outcome), reasons=reasons)


def show_history(settings: Settings, table: str, limit: int, as_json: bool) -> None:
    """Show the versions of a table, newest first.

    Args:
        settings: Of this process.
        table: `layer.name`.
        limit: Most versions to show.
        as_json: Whether to print JSON.

    Raises:
        DataError: There is no such table.
    """
    lake = Lakehouse(Storage.of(settings))
    if not lake.exists(table):
        known = [name for name in (SALES_LINES, FILES, TRANSACTIONS, REJECTED, MERGED, FACT_SALES) if lake.exists(name)]
        remedy = f"There are {', '.join(known)}." if known else "Run `retail run PATH…` first."
        raise DataError(f"There is no table {table}", where=lake.storage.root, remedy=remedy)
    entries = lake.history(table, limit)
    if as_json:
        show_json(entries)
        return
    rows = [
        (e["version"], datetime.fromtimestamp(e["timestamp"] / 1000, UTC).isoformat(" ", "seconds"), e["operation"],
         e.get("run_id"), e.get("rows"), Decimal(e["amount"]) if "amount" in e else None)
        for e in entries
    ]  # fmt: skip
    show_table(f"History of {table}", ("version", "at (UTC)", "operation", "run", "rows", "money"), rows)


def show_settings(settings: Settings, as_json: bool) -> None:
    """Show every setting with its variable and its meaning.

    Args:
        settings: Of this process.
        as_json: Whether to print JSON.
    """
    values = settings.masked()
    if as_json:
        show_json(values)
        return
    rows = [
        (f"RETAIL_{name.upper()}", str(values[name]), str(field.description))
        for name, field in type(settings).model_fields.items()
    ]
    show_table("Settings", ("variable", "value", "meaning"), rows)
    OUT.print(f"The lake stands in {settings.lake}")


def _shown(value: Any) -> Any:
    return value.isoformat(" ", "seconds") if isinstance(value, datetime) else value
