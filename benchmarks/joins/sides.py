"""The three engines as the benchmark sees them: each runs a job and says how long it took; knows no page."""

import base64
import json
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks.page import PROJECT
from cluster.delta_sink import WrittenFile
from cluster.java import java_environment
from cluster.lakehouse import Lakehouse
from cluster.settings import child_environment
from cluster.storage import Storage
from pipelines.content_hash import HashItem, hash_files
from pipelines.gold.facts import FactItem, write_facts
from pipelines.joins.duckdb_engine import Bounds, JoinItem, run_local
from pipelines.joins.join import Join, join_sql
from pipelines.joins.spark_engine import SparkProcess
from pipelines.months import by_month
from pipelines.tasks import run_tasks
from warehouse_sql.tables.gold import (
    BASKET_PAIRS,
    DIM_COUNTRY,
    DIM_CUSTOMERS,
    DIM_DATE,
    DIM_PRODUCTS,
    FACT_SALES,
    GUEST_KEY,
)
from warehouse_sql.tables.silver import MONTH, TRANSACTIONS

DIMENSIONS = (DIM_DATE, DIM_COUNTRY, DIM_CUSTOMERS, DIM_PRODUCTS)


def silent(what: str, done: int, total: int) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class Job:
    """A join of a lake, and the tasks that the spine runs for it locally, if it is one of the spine's."""

    join: Join
    fact_items: Sequence[FactItem] = ()


@dataclass(frozen=True)
class Took:
    """Seconds, and the content hash of what was made."""

    seconds: float
    content: int


def jobs(lake: Lakehouse) -> list[Job]:
    """Give both joins over the newest versions of a lake."""
    at = {table: [file.uri for file in lake.files(table)] for table in (*DIMENSIONS, FACT_SALES)}
    views = {table.partition(".")[2]: tuple(uris) for table, uris in at.items()}
    silver = by_month(lake.files(TRANSACTIONS))
    lines = tuple(file.uri for files in silver.values() for file in files)
    of_facts = {"silver": lines, **{name: uris for name, uris in views.items() if name != "fact_sales"}}
    facts = Join(FACT_SALES, join_sql("fact_sales"), of_facts, {"guest_key": GUEST_KEY}, (MONTH,))
    items = [
        FactItem(
            month, tuple(file.uri for file in files), views["dim_customers"], views["dim_products"], f"local-{month}"
        )
        for month, files in silver.items()
    ]
    of_pairs = {name: views[name] for name in ("fact_sales", "dim_products")}
    pairs = Join(BASKET_PAIRS, join_sql("basket_pairs"), of_pairs, {"max_products": 100, "min_support": "0.002"})
    return [Job(facts, items), Job(pairs)]


def content_of(storage: Storage, table: str, files: Sequence[WrittenFile]) -> int:
    """Hash what was written, uncommitted as it is."""
    items = [HashItem(table, (f"{storage.table_uri(table)}/{file.path}",)) for file in files]
    rows = run_tasks(partial(hash_files, storage), items, "hash", silent)
    return int(sum(row["total"] for row in rows)) % 2**128


def run_here(storage: Storage, job: Job, bounds: Bounds) -> Took:
    """Run a job on the local engine: DuckDB in a Ray task, or the spine's own tasks for facts."""
    began = time.perf_counter()
    if job.fact_items:
        files = [row["file"] for row in run_tasks(partial(write_facts, storage), job.fact_items, "facts", silent)]
    else:
        files, _ = run_local(storage, [JoinItem(job.join, "local")], bounds, silent)
    seconds = time.perf_counter() - began
    return Took(seconds, content_of(storage, job.join.table, files))


def run_on_ray(storage: Storage, job: Job, spark: SparkProcess) -> Took:
    """Run a job on Spark on Ray."""
    began = time.perf_counter()
    files = spark.run(job.join, "raydp", silent)
    seconds = time.perf_counter() - began
    return Took(seconds, content_of(storage, job.join.table, files))


class PlainSpark:
    """The process of plain Spark."""

    def __init__(self, child: "subprocess.Popen[str]") -> None:
        """Speak with a child that runs."""
        self.child = child

    def run(self, storage: Storage, job: Job) -> Took:
        """Run a job; the process tells its seconds."""
        join = job.join
        request = {
            "table": join.table, "sql": join.sql, "views": dict(join.views), "values": dict(join.values),
            "partition_by": join.partition_by, "name": "plain",
        }  # fmt: skip
        assert self.child.stdin
        self.child.stdin.write(base64.b64encode(pickle.dumps((storage, request))).decode() + "\n")
        self.child.stdin.flush()
        answer = self.answer()
        files = [WrittenFile(**file) for file in answer["files"]]
        return Took(answer["seconds"], content_of(storage, join.table, files))

    def answer(self) -> dict[str, Any]:
        """Wait for the next answer."""
        assert self.child.stdout
        line = self.child.stdout.readline()
        if not line:
            raise SystemExit(f"Plain Spark ended with {self.child.wait()}; what it said stands above.")
        return dict(json.loads(line))


@contextmanager
def plain_spark() -> Iterator[PlainSpark]:
    """Start plain Spark, and end it."""
    child = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.joins.plain_spark"],
        cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env=child_environment(**java_environment(), SPARK_LOCAL_IP="127.0.0.1"),
    )  # fmt: skip
    plain = PlainSpark(child)
    try:
        plain.answer()
        yield plain
    finally:
        assert child.stdin
        child.stdin.close()
        child.wait()


def threads() -> int:
    """Threads of the local engine: the cores of this machine."""
    return os.cpu_count() or 1
