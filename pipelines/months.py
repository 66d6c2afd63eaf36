"""Which months of a table differ between two of its versions, from the log alone; knows no table's columns."""

from collections.abc import Sequence
from typing import Any

from cluster.errors import DataError
from cluster.lakehouse import DataFile, Lakehouse
from warehouse_sql.tables.silver import MONTH

Months = dict[str, list[DataFile]]
"""Month (YYYY-MM) → its files."""


def by_month(files: Sequence[DataFile]) -> Months:
    """Group files by month."""
    months: Months = {}
    for file in files:
        months.setdefault(str(file.partition[MONTH]), []).append(file)
    return months


def changed_months(lake: Lakehouse, table: str, version: int, seen: dict[str, Any] | None) -> Months | None:
    """Group the files of the months whose files differ from those of a version that was seen before.

    Args:
        lake: The lake.
        table: Partitioned by month.
        version: The version that is wanted.
        seen: `version` and `run_id` of what was seen; None when nothing was.

    Returns:
        Month → files in `version` (none: its lines are gone). None when it cannot be told: what was seen is no version
        of this table as it stands, or one whose log is gone (Delta removes old logs).
    """
    if seen is None or seen["version"] > version:
        return None
    try:
        if lake.notes(table, seen["version"])["run_id"] != seen["run_id"]:
            return None
        before = by_month(lake.files(table, seen["version"]))
    except (DataError, OSError):
        return None
    now = by_month(lake.files(table, version))
    changed = {month for month in now.keys() | before.keys() if now.get(month) != before.get(month)}
    return {month: now.get(month, []) for month in sorted(changed)}
