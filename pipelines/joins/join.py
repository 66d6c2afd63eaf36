"""What a large join is: its statement, what it reads and what it writes; knows no engine and no particular join."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from importlib import resources

Value = int | str | Decimal


@dataclass(frozen=True)
class Join:
    """A join that any engine can run.

    Attributes:
        table: The lake's table that it makes rows of, `gold.…`.
        sql: One SELECT in the dialect that Spark and DuckDB share, values as `:name`. It casts every column to the type
            that the table's Arrow schema says.
        views: Name that the statement reads from → absolute Parquet files (at least one) of one version of a table.
            Partition columns are not in the files and not in the view.
        values: Every value that the statement binds.
        partition_by: Columns of the result that become folders (`column=value/`) instead of columns of the files.
    """

    table: str
    sql: str
    views: Mapping[str, tuple[str, ...]]
    values: Mapping[str, Value] = field(default_factory=dict)
    partition_by: tuple[str, ...] = ()


@cache
def join_sql(name: str) -> str:
    """Give the text of a statement of this room.

    Args:
        name: File name without `.sql`.

    Returns:
        SQL that Spark and DuckDB both run, values as `:name`.
    """
    return resources.files("pipelines.joins").joinpath(f"{name}.sql").read_text(encoding="utf-8")
