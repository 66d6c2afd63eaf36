"""`python -m benchmarks.joins [LINES...]`: two joins on three engines, written into docs/benchmarks.md.

For each size a sample goes through bronze, silver and gold; then the engines take turns, warm, on the same files, and
each must make the same content. Memory is watched in rounds of its own, since watching costs time.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.joins.sides import Job, PlainSpark, Took, jobs, plain_spark, run_here, run_on_ray, silent, threads
from benchmarks.memory import Peak
from benchmarks.page import measured_on, write_part
from cluster.lakehouse import Lakehouse, LakeWriter
from cluster.lease import Lease
from cluster.ray_session import ray_session
from cluster.settings import Settings, load_settings
from cluster.storage import Storage
from pipelines import bronze, gold, silver
from pipelines.joins.basket_pairs import build as build_pairs
from pipelines.joins.duckdb_engine import Bounds
from pipelines.joins.engines import Engines
from pipelines.joins.spark_engine import SparkProcess
from pipelines.sample import generate_sample
from pipelines.steps import StepContext
from warehouse_sql.tables.gold import BASKET_PAIRS

SIZES = (1_000_000, 10_000_000)
ROUNDS = 2
ENGINES = ("local engine", "Spark on Ray", "plain Spark `local[2]`")
GOAL = 1.3


@dataclass
class Size:
    """What one size gave: engine and join → seconds of each round; engine and join → peak MB of its process tree."""

    lines: int
    pairs: int
    seconds: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    peak_mb: dict[tuple[str, str], float] = field(default_factory=dict)
    starts: dict[str, float] = field(default_factory=dict)


def prepare(settings: Settings, lines: int) -> tuple[Lakehouse, int]:
    """Fill a lake with a sample; give it and the pairs of products in its baskets."""
    storage = Storage.of(settings)
    sample = generate_sample(lines, 1, settings.home / "sample", silent)
    with Lease.take(storage, "bench", 3_600) as lease:
        context = StepContext(settings, LakeWriter(storage, lease))
        with Engines(context) as engines:
            _, carried = bronze.ingest(context, [str(sample.data)], carry=True)
            silver.refine(context, carried)
            gold.build(context, engines)
            build_pairs(context, engines)
    lake = Lakehouse(storage)
    latest = lake.latest(BASKET_PAIRS)
    assert latest
    return lake, latest[1]["ordered_pairs"] // 2


@contextmanager
def timed(what: str, starts: dict[str, float]) -> Iterator[Callable[[], None]]:
    """Measure from the beginning of a block to the call of what it gives."""
    began = time.perf_counter()
    yield lambda: starts.__setitem__(what, time.perf_counter() - began)


def measure(place: Path, lines: int) -> Size:
    """Measure one size."""
    # Two executors, RayDP's master, and two CPUs left for local tasks: they take turns on this machine's cores.
    settings = load_settings(home=place / f"home-{lines}", num_cpus=5, spark_max_executors=2, join_memory_mb=2_000)
    with ray_session(settings):
        lake, pairs = prepare(settings, lines)
        size, storage = Size(lines, pairs), lake.storage
        bounds = Bounds(settings.join_memory_mb, threads())
        todo = jobs(lake)
        for job in todo:
            with Peak(psutil.Process()) as peak:
                run_here(storage, job, bounds)
            size.peak_mb[ENGINES[0], job.join.table] = peak.mb
        with timed(ENGINES[2], size.starts) as plain_started, plain_spark() as plain:
            plain_started()
            with timed(ENGINES[1], size.starts) as ray_started, SparkProcess(settings, storage, print) as spark:
                ray_started()
                sides = {
                    ENGINES[0]: lambda job: run_here(storage, job, bounds),
                    ENGINES[1]: lambda job: run_on_ray(storage, job, spark),
                    ENGINES[2]: lambda job: plain.run(storage, job),
                }
                for job in todo:
                    rounds_of(size, job, sides)
                watch_spark(size, todo, sides, plain)
    return size


def rounds_of(size: Size, job: Job, sides: dict[str, Callable[[Job], Took]]) -> None:
    """Let the sides take turns, once to warm up; they must agree in content."""
    for number in range(ROUNDS + 1):
        took = {engine: run(job) for engine, run in sides.items()}
        if len({side.content for side in took.values()}) > 1:
            raise SystemExit(f"{job.join.table}: the engines did not make the same rows")
        told = ", ".join(f"{engine} {side.seconds:.1f} s" for engine, side in took.items())
        print(f"{size.lines:,} lines, {job.join.table}, round {number}: {told}", flush=True)
        if number:
            for engine, side in took.items():
                size.seconds.setdefault((engine, job.join.table), []).append(side.seconds)


def watch_spark(size: Size, todo: list[Job], sides: dict[str, Callable[[Job], Took]], plain: PlainSpark) -> None:
    """Run both Sparks once more with their memory watched: the tree of Ray and us, without the plain one, and that."""
    for job in todo:
        with Peak(psutil.Process()) as everything, Peak(psutil.Process(plain.child.pid)) as idle:
            sides[ENGINES[1]](job)
        size.peak_mb[ENGINES[1], job.join.table] = everything.mb - idle.mb
        with Peak(psutil.Process(plain.child.pid)) as alone:
            sides[ENGINES[2]](job)
        size.peak_mb[ENGINES[2], job.join.table] = alone.mb


def table_of(sizes: list[Size]) -> list[str]:
    """Give the figures as Markdown."""
    rows = [
        "| lines | pairs in baskets | join | engine | " + " | ".join(f"round {n + 1} (s)" for n in range(ROUNDS))
        + " | median (s) | peak memory (Σ PSS) |",
        "|---" * (ROUNDS + 6) + "|",
    ]  # fmt: skip
    for size in sizes:
        for (engine, table), seconds in size.seconds.items():
            cells = [f"{size.lines:,}", f"{size.pairs:,}", f"`{table}`", engine, *(f"{s:.1f}" for s in seconds)]
            cells += [f"{statistics.median(seconds):.1f}", f"{size.peak_mb[engine, table]:,.0f} MB"]
            rows.append(f"| {' | '.join(cells)} |")
    return rows


def ratios_of(sizes: list[Size]) -> list[str]:
    """Give the ratios that were asked for, of medians of rounds taken in turn."""
    rows = [
        f"| lines | join | Spark on Ray ÷ plain Spark (goal ≤ {GOAL}) | Spark on Ray ÷ local engine |",
        "|---|---|---|---|",
    ]
    for size in sizes:
        for table in dict.fromkeys(table for _, table in size.seconds):
            local, ray, plain = (statistics.median(size.seconds[engine, table]) for engine in ENGINES)
            rows.append(f"| {size.lines:,} | `{table}` | **{ray / plain:.2f}** | {ray / local:.2f} |")
    return rows


def verdict(sizes: list[Size]) -> str:
    """Say from which size on Spark on Ray is the fastest, if any."""
    won = [
        f"{table} at {size.lines:,} lines"
        for size in sizes
        for table in dict.fromkeys(table for _, table in size.seconds)
        if statistics.median(size.seconds[ENGINES[1], table]) < statistics.median(size.seconds[ENGINES[0], table])
    ]
    largest = f"{max(size.lines for size in sizes):,} lines and {max(size.pairs for size in sizes):,} pairs"
    return f"Spark on Ray beat the local engine: {'; '.join(won) if won else f'none found up to {largest}'}."


def main() -> None:
    """Measure and write."""
    load = os.getloadavg()[0]
    wanted = [int(argument.replace("_", "")) for argument in sys.argv[1:]] or list(SIZES)
    sizes: list[Size] = []
    for count in wanted:
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            sizes.append(measure(Path(name), count))
        write_page(load, sorted(sizes, key=lambda size: size.lines))


def write_page(load: float, sizes: list[Size]) -> None:
    """Write what is measured so far."""
    starts = "; ".join(f"{engine} {seconds:.1f} s" for engine, seconds in sizes[-1].starts.items())
    lines = [
        measured_on("make bench-joins", load, ("ray", "raydp", "pyspark", "duckdb", "polars")),
        "Every engine made the same rows (content hashes compared in every round).",
        "", *table_of(sizes), "", *ratios_of(sizes), "",
        f"{verdict(sizes)} Starting, not in the figures: {starts}.",
    ]  # fmt: skip
    write_part("joins", lines)


if __name__ == "__main__":
    main()
