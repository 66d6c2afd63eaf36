"""Runs a join with DuckDB inside a Ray task, in a bounded memory; knows no particular join.

What does not fit into the memory goes to a temporary folder of the node. DuckDB reads the files of a version as Spark
does, and what it answers is written as Parquet where it runs; the driver commits.
"""

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import duckdb
import polars as pl
import pyarrow.dataset as ds

from cluster.delta_sink import WrittenFile, write_file
from cluster.storage import Storage
from pipelines.joins.join import Join
from pipelines.steps import Report
from pipelines.tasks import Row, nodes_of, run_tasks

VALUE = re.compile(r"(?<!:):([a-z_]+)")
"""A bound value, `:name`; DuckDB writes it `$name`."""
CONV = "CREATE MACRO conv(digits, from_base, to_base) AS CAST('0x' || digits AS UBIGINT)"
"""The one function of Spark's that the statements use and DuckDB lacks, from base 16 to 10 as they use it."""


@dataclass(frozen=True)
class Bounds:
    """What a local join may use: memory in MB (beyond it, disk) and threads."""

    memory_mb: int
    threads: int


@dataclass(frozen=True)
class JoinItem:
    """A join, or a part of one, for a task, and the name of the file that it writes."""

    join: Join
    name: str


def run_local(
    storage: Storage, parts: Sequence[JoinItem], bounds: Bounds, report: Report
) -> tuple[list[WrittenFile], dict[str, int]]:
    """Run the parts of a join in Ray tasks.

    Args:
        storage: The lake.
        parts: Parts with disjoint results; each becomes one file per partition.
        bounds: What one task may use; Ray reserves that many CPUs for it.
        report: Progress.

    Returns:
        The files written, and node id → tasks that ran there.
    """
    what = parts[0].join.table
    rows = run_tasks(partial(_write_part, storage, bounds), parts, what, report, cpus=bounds.threads)
    return [file for row in rows for file in row["files"]], nodes_of(rows)


def run_query(storage: Storage, join: Join, bounds: Bounds, report: Report) -> list[dict[str, Any]]:
    """Run a join whose few rows the driver needs, in a Ray task.

    Args:
        storage: The lake.
        join: Its statement; `table` only names it.
        bounds: What the task may use.
        report: Progress.

    Returns:
        The rows.
    """
    [row] = run_tasks(partial(_answer, storage, bounds), [join], join.table, report, cpus=bounds.threads)
    return list(row["rows"])


def _write_part(storage: Storage, bounds: Bounds, item: JoinItem) -> Row:
    result = query(storage, item.join, bounds)
    return {"files": list(_write_partitions(storage, item, result))}


def _answer(storage: Storage, bounds: Bounds, join: Join) -> Row:
    return {"rows": query(storage, join, bounds).to_dicts()}


def query(storage: Storage, join: Join, bounds: Bounds) -> pl.DataFrame:
    """Run a join in this process.

    Args:
        storage: The lake.
        join: The join.
        bounds: What it may use.

    Returns:
        Its rows.
    """
    with _connection(bounds) as connection:
        for name, uris in join.views.items():
            _make_view(connection, storage, name, uris)
        relation = connection.sql(VALUE.sub(r"$\1", join.sql), params=dict(_bound(join)))
        return pl.DataFrame(relation.to_arrow_table())


def _bound(join: Join) -> Mapping[str, Any]:
    """Bind what the statement names; DuckDB refuses values that it does not."""
    return {name: join.values[name] for name in set(VALUE.findall(join.sql))}


@contextmanager
def _connection(bounds: Bounds) -> Iterator[duckdb.DuckDBPyConnection]:
    with tempfile.TemporaryDirectory(prefix="retail-join-") as folder:
        config: dict[str, Any] = {
            "memory_limit": f"{bounds.memory_mb}MB",
            "threads": bounds.threads,
            "temp_directory": folder,
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
        }
        with duckdb.connect(config=config) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(CONV)
            yield connection


def _make_view(connection: duckdb.DuckDBPyConnection, storage: Storage, name: str, uris: Sequence[str]) -> None:
    """Read local files with DuckDB's own reader; those of an object store through Arrow, which has its credentials."""
    if storage.is_local:
        relation = connection.read_parquet(list(uris), hive_partitioning=False, union_by_name=True)
    else:
        opened = [storage.open(uri) for uri in uris]
        relation = connection.from_arrow(ds.dataset([path for _, path in opened], filesystem=opened[0][0]))
    relation.create_view(name)


def _write_partitions(storage: Storage, item: JoinItem, result: pl.DataFrame) -> Iterator[WrittenFile]:
    join = item.join
    if not join.partition_by:
        yield write_file(storage, join.table, item.name, result)
        return
    for values, rows in result.partition_by(join.partition_by, as_dict=True, include_key=False).items():
        partition = dict(zip(join.partition_by, map(str, values), strict=True))
        yield write_file(storage, join.table, item.name, rows, partition)
