"""Copies Parquet rows into staging tables and merges what differs into the warehouse; knows no publication.

The statements are composed from the table classes, so that no column list stands twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Self

import polars as pl
import psycopg
from psycopg import sql
from sqlmodel import SQLModel

from cluster.delta_sink import read_files
from cluster.storage import Storage
from warehouse_sql.tables.arrow import stored_columns

ROWS_PER_WRITE = 50_000
NUL, SHOWN_NUL = "\0", "\N{REPLACEMENT CHARACTER}"
"""PostgreSQL holds no NUL in a text; it is shown as what it is, a character that cannot be shown. The lake keeps it."""


@dataclass
class Changes:
    """What a merge moved: rows, the days (or months) of rows merged by month, the first keys of the others."""

    rows: int = 0
    dates: set[date] = field(default_factory=set)
    keys: set[Any] = field(default_factory=set)

    def __add__(self, other: Self) -> Self:
        """Put two together."""
        return type(self)(self.rows + other.rows, self.dates | other.dates, self.keys | other.keys)


@dataclass(frozen=True)
class Staged:
    """A staging table of this connection, with the columns of a table class.

    Attributes:
        connection: The only one that sees it.
        model: The table class.
    """

    connection: psycopg.Connection[Any]
    model: type[SQLModel]

    @property
    def name(self) -> str:
        """Give the table's name with its schema."""
        return str(self._table.fullname)

    @property
    def _table(self) -> Any:
        return getattr(self.model, "__table__")  # noqa: B009 - SQLModel adds it to table classes

    @property
    def keys(self) -> list[str]:
        """Name the columns of the primary key; in a table that is merged by month the second one is the day."""
        return [column.name for column in self._table.primary_key.columns]

    def names(self) -> dict[str, sql.Composable]:
        """Give the parts that statements are composed of."""
        columns, keys = stored_columns(self.model), self.keys
        rest = [name for name in columns if name not in keys]
        return {
            "target": sql.Identifier(*self.name.split(".")),
            "staging": sql.Identifier(f"staged_{self._table.name}"),
            "key": sql.Identifier(keys[0]),
            "keys": _listed(keys),
            "target_keys": _listed(keys, "t"),
            "staged_keys": _listed(keys, "s"),
            "day": sql.Identifier(keys[-1]),
            "columns": _listed(columns),
            "staged_columns": _listed(columns, "s"),
            "rest": _listed(rest),
            "excluded": _listed(rest, "excluded"),
            "target_rest": _listed(rest, "t"),
            "staged_rest": _listed(rest, "s"),
        }

    def execute(self, text: str, **parts: sql.Composable) -> psycopg.Cursor[Any]:
        """Run a statement with the table's names filled in."""
        return self.connection.execute(sql.SQL(text).format(**self.names(), **parts))

    def copy(self, storage: Storage, uri: str) -> None:
        """Copy the rows of one Parquet file; the file is held, the table never."""
        rows = read_files(storage, [uri]).select(stored_columns(self.model))
        binary = [name for name, kind in rows.schema.items() if kind == pl.Binary]
        rows = rows.with_columns(
            pl.col(binary).bin.encode("hex"), pl.col(pl.String).str.replace_all(NUL, SHOWN_NUL, literal=True)
        )
        statement = sql.SQL("COPY {staging} ({columns}) FROM STDIN (FORMAT csv)").format(**self.names())
        with self.connection.cursor() as cursor, cursor.copy(statement) as out:
            for part in rows.iter_slices(ROWS_PER_WRITE):
                out.write(part.write_csv(include_header=False).encode())

    def analyse(self) -> None:
        """Tell the planner what was copied."""
        self.execute("ANALYZE {staging}")


def stage(connection: psycopg.Connection[Any], model: type[SQLModel]) -> Staged:
    """Make an empty staging table, which ends with the connection.

    Args:
        connection: To the warehouse.
        model: The table class.

    Returns:
        The staging table.
    """
    staged = Staged(connection, model)
    staged.execute("DROP TABLE IF EXISTS {staging}")
    staged.execute("CREATE TEMP TABLE {staging} (LIKE {target})")
    return staged


def merge_rows(staged: Staged) -> Changes:
    """Add and change rows of a table; rows that are the same are not written.

    Args:
        staged: All rows of the table.

    Returns:
        What moved.
    """
    cursor = staged.execute(
        "INSERT INTO {target} AS t ({columns}) SELECT {columns} FROM {staging} "
        "ON CONFLICT ({keys}) DO UPDATE SET ({rest}) = ROW ({excluded}) "
        "WHERE ({target_rest}) IS DISTINCT FROM ({excluded}) RETURNING t.{key}"
    )
    keys = [key for (key,) in cursor]
    return Changes(len(keys), keys=set(keys))


def remove_vanished(staged: Staged) -> Changes:
    """Remove the rows that gold no longer has; of a dimension, no fact points to them any more.

    Args:
        staged: All rows of the table.

    Returns:
        What moved.
    """
    cursor = staged.execute(
        "DELETE FROM {target} AS t "
        "WHERE NOT EXISTS (SELECT FROM {staging} AS s WHERE ({staged_keys}) = ({target_keys})) RETURNING t.{key}"
    )
    keys = [key for (key,) in cursor]
    return Changes(len(keys), keys=set(keys))


def day_bounds(first: date, months: int) -> dict[str, sql.Composable]:
    """Give `first` day and the day `behind` for so many months."""
    place = first.year * 12 + first.month - 1 + months
    return {"first": sql.Literal(first), "behind": sql.Literal(date(place // 12, place % 12 + 1, 1))}


MERGES = (
    "DELETE FROM {target} AS t WHERE t.{day} >= {first} AND t.{day} < {behind} AND NOT EXISTS ("
    "SELECT FROM {staging} AS s WHERE s.{key} = t.{key} AND s.{day} = t.{day}) RETURNING t.{day}",
    # In place, since a row whose keys stay is not checked against the dimensions again. (Swapping whole partitions
    # would be faster still, and would empty the table for a reader whose snapshot is older.)
    "UPDATE {target} AS t SET ({rest}) = ROW ({staged_rest}) FROM {staging} AS s "
    "WHERE t.{day} >= {first} AND t.{day} < {behind} AND s.{key} = t.{key} "
    "AND s.{day} = t.{day} AND ({target_rest}) IS DISTINCT FROM ({staged_rest}) RETURNING t.{day}",
    "INSERT INTO {target} ({columns}) SELECT {staged_columns} FROM {staging} AS s "
    "WHERE s.{day} >= {first} AND s.{day} < {behind} AND NOT EXISTS ("
    "SELECT FROM {target} AS t WHERE t.{key} = s.{key} AND t.{day} = s.{day}) RETURNING {day}",
)
"""What a month lost, what differs in it, what is new in it."""


def merge_months(staged: Staged, months: Sequence[str]) -> Changes:
    """Bring some months of a table without partitions to what is staged; rows that are the same are not written.

    Args:
        staged: All rows of these months.
        months: YYYY-MM.

    Returns:
        What moved.
    """
    changes = Changes()
    for month in months:
        merge_month(staged, month, changes)
    return changes


def merge_month(staged: Staged, month: str, changes: Changes) -> None:
    """Bring one month to what is staged, and add to `changes` what moved."""
    bounds = day_bounds(date(int(month[:4]), int(month[5:7]), 1), 1)
    for text in MERGES:
        counted = f"WITH moved (day) AS ({text}) SELECT day, count(*) FROM moved GROUP BY day"
        for day, rows in staged.execute(counted, **bounds):
            changes.rows += rows
            changes.dates.add(day)


def _listed(names: Sequence[str], prefix: str = "") -> sql.Composable:
    """List columns, each with the prefix of its table."""
    return sql.SQL(", ").join(sql.Identifier(prefix, name) if prefix else sql.Identifier(name) for name in names)
