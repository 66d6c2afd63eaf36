"""`retail history` and `config show`: reads the log of a table and the settings, changes nothing."""

from datetime import UTC, datetime
from decimal import Decimal

from cluster.errors import DataError
from cluster.lakehouse import Lakehouse
from cluster.settings import Settings
from cluster.storage import Storage
from pipelines.content_hash import HASHED
from ray_apps.console import OUT, show_json, show_table
from warehouse_sql.tables.bronze import DEAD_LETTERS, FILES, SALES_LINES
from warehouse_sql.tables.silver import MERGED

TABLES = (FILES, SALES_LINES, DEAD_LETTERS, MERGED, *HASHED)


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
        known = [name for name in TABLES if lake.exists(name)]
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
