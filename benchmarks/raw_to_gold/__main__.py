"""`python -m benchmarks.raw_to_gold`: three rounds of both sides in turn, medians, written into docs/benchmarks.md."""

import gzip
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import psutil

from benchmarks.memory import Peak
from benchmarks.page import PROJECT, measured_on, write_part
from cluster.lakehouse import Lakehouse, LakeWriter
from cluster.lease import Lease
from cluster.ray_session import ray_session
from cluster.settings import Settings, child_environment, load_settings
from cluster.storage import Storage
from cluster.warehouse import migrate, running_warehouse
from pipelines import bronze, gold, silver
from pipelines.content_hash import business_columns, content_hash, frame_hash
from pipelines.joins.engines import Engines
from pipelines.publish import publish
from pipelines.steps import StepContext

ROUNDS = 3
GOAL = 1.5
COMPARED = (
    "silver.retail_transactions",
    "gold.fact_sales",
    "gold.dim_customers",
    "gold.dim_products",
    "gold.dim_country",
    "gold.dim_date",
)


@dataclass(frozen=True)
class Round:
    """Seconds of the platform, in all, by step and by part, and of the script, without and with its start."""

    lines: int
    ours: float
    steps: dict[str, float]
    parts: dict[str, float]
    script: float
    script_process: float


def make_input(folder: Path) -> list[Path]:
    """Write the real year, and a copy of it with other invoices, two years later."""
    default = PROJECT.parent / "shared" / "data"
    source = Path(child_environment().get("RETAIL_REAL_DATA", str(default))) / "online_retail" / "online_retail.csv.gz"
    if not source.exists():
        print(f"Skipped: the real year is not at {source}; RETAIL_REAL_DATA names another place.")
        raise SystemExit(0)
    first, second = folder / "year.csv", folder / "later.csv"
    with (
        gzip.open(source, "rt", newline="") as lines,
        first.open("w", newline="") as a,
        second.open("w", newline="") as b,
    ):
        header = next(lines)
        a.write(header)
        b.write(header)
        for line in lines:
            a.write(line)
            shifted = line.replace(",2011-", ",2013-", 1).replace(",2010-", ",2012-", 1)
            b.write(shifted[0] + "9" + shifted[1:] if shifted[0] in "CA" else "9" + shifted)
    return [first, second]


@contextmanager
def a_context(settings: Settings, run_id: str, marks: list[tuple[str, int, int, float]]) -> Iterator[StepContext]:
    storage = Storage.of(settings)
    with Lease.take(storage, run_id, 600) as lease:
        context = StepContext(
            settings,
            LakeWriter(storage, lease),
            lambda what, done, total: marks.append((what, done, total, time.perf_counter())),
        )
        yield context
        storage.remove_tree(storage.scratch_uri(run_id))


def ours(home: Path, files: list[Path]) -> tuple[int, float, dict[str, float], dict[str, float]]:
    """Run the three steps; give the lines of silver, seconds in all, by step and by part of a step."""
    marks: list[tuple[str, int, int, float]] = []
    with a_context(load_settings(home=home), "bench", marks) as context:
        began = time.perf_counter()
        ingested, carried = bronze.ingest(context, [str(file) for file in files], carry=True)
        results = [ingested, silver.refine(context, carried), gold.build(context, Engines(context))]
        seconds = time.perf_counter() - began
    return results[1].counts.accepted, seconds, {result.step: result.seconds for result in results}, _parts(marks)


def _parts(marks: list[tuple[str, int, int, float]]) -> dict[str, float]:
    """Give the seconds from the first to the last report of each part; what lies between parts is in none."""
    seen: dict[str, list[float]] = {}
    for what, _, _, moment in marks:
        seen.setdefault(what, []).append(moment)
    return {what: max(moments) - min(moments) for what, moments in seen.items()}


def start_script(out: Path, files: list[Path]) -> "subprocess.Popen[str]":
    """Start the script in a process of its own."""
    script = [sys.executable, "-m", "benchmarks.raw_to_gold.polars_script", str(out)]
    command = [*script, str(PROJECT / "pipelines" / "countries.csv"), *map(str, files)]
    return subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)


def theirs(out: Path, files: list[Path]) -> tuple[float, float]:
    """Run the script; give the seconds of its work without its start, and of the whole process."""
    began = time.perf_counter()
    script = start_script(out, files)
    told = script.communicate()[0]
    if script.returncode:
        raise SystemExit(f"The hand-written script ended with {script.returncode}; its message stands above.")
    return float(told.split()[-1]), time.perf_counter() - began


def memory(place: Path, files: list[Path]) -> tuple[float, float]:
    """Run both once more with their memory watched, which costs time; give the peaks in MB."""
    with Peak(psutil.Process()) as mine:
        ours(place / "watched-ours", files)
    child = start_script(place / "watched-theirs", files)
    with Peak(psutil.Process(child.pid)) as script:
        child.communicate()
    return mine.mb, script.mb


def assert_same_tables(home: Path, out: Path) -> None:
    """Make sure that both sides made the same content; outside the timing."""
    lake = Lakehouse(Storage.of(load_settings(home=home)))
    for table in COMPARED:
        made = pl.scan_delta(str(out / table.replace(".", "/"))).select(business_columns(table)).collect()
        newest = lake.version(table)
        assert newest is not None
        if content_hash(lake, table, newest) != f"{frame_hash(made, table):032x}":
            raise SystemExit(f"{table}: the two sides did not make the same table")


def publish_steps(home: Path) -> dict[str, float]:
    """Publish into a fresh embedded PostgreSQL; give seconds by part."""
    settings = load_settings(home=home)
    marks: list[tuple[str, int, int, float]] = []
    began = time.perf_counter()
    with running_warehouse(settings) as url:
        started = time.perf_counter()
        migrate(url)
        migrated = time.perf_counter()
        with a_context(settings, "publish", marks) as context:
            publish(context, url)
        ended = time.perf_counter()
    at = {(what, done == total): moment for what, done, total, moment in marks}
    copied, merged = at["publish: copy", True], at["publish: merge", True]
    return {
        "start PostgreSQL, first time": started - began, "migrations": migrated - started,
        "copy into staging": copied - migrated, "merge, indexes, keys, one transaction": merged - copied,
        "publish in all": ended - migrated,
    }  # fmt: skip


def main() -> None:
    """Measure and write."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        place = Path(name)
        files = make_input(place)
        began = time.perf_counter()
        with ray_session(load_settings(home=place / "ray")):
            ray_seconds = time.perf_counter() - began
            began = time.perf_counter()
            ours(place / "warm", files)
            first_seconds = time.perf_counter() - began
            rounds: list[Round] = []
            for number in range(ROUNDS):
                mine = ours(place / f"ours-{number}", files)
                rounds.append(Round(*mine, *theirs(place / f"theirs-{number}", files)))
                print(f"round {number + 1}: ours {mine[1]:.2f} s, Polars {rounds[-1].script:.2f} s", flush=True)
            peaks = memory(place, files)
            assert_same_tables(place / "ours-0", place / "theirs-0")
        published = publish_steps(place / "ours-0")
    apart = {
        "Ray, start": ray_seconds,
        "the platform, first run on a cold Ray": first_seconds,
        "the script with its process's start, median": statistics.median(r.script_process for r in rounds),
    }
    write_page(load, rounds, peaks, apart, published)


def write_page(
    load: float, rounds: list[Round], peaks: tuple[float, float], apart: dict[str, float], published: dict[str, float]
) -> None:
    """Write the figures between the markers of docs/benchmarks.md; `load` tells how far they can be trusted."""
    median = statistics.median
    ours_s, script_s = [round_.ours for round_ in rounds], [round_.script for round_ in rounds]
    ratios = [round_.ours / round_.script for round_ in rounds]
    lines = [
        measured_on("make bench", load, ("ray", "polars", "deltalake")),
        f"{rounds[0].lines:,} lines in two plain CSV files; both sides made the same {len(COMPARED)} tables of silver "
        "and gold (content hashes compared in the same run).",
        "",
        "| | round 1 | round 2 | round 3 | median | peak memory of the tree (Σ PSS) |",
        "|---|---|---|---|---|---|",
        _row("the platform, warm Ray (s)", ours_s, f"{median(ours_s):.2f}", f"{peaks[0]:,.0f} MB"),
        _row("hand-written Polars (s)", script_s, f"{median(script_s):.2f}", f"{peaks[1]:,.0f} MB"),
        _row("**ratio**", ratios, f"**{median(ratios):.2f}**, goal {GOAL}", ""),
        "",
        "| step, and part of a step from its first to its last report | median (s) |",
        "|---|---|",
        *(f"| **{step}** | {median(round_.steps[step] for round_ in rounds):.2f} |" for step in rounds[0].steps),
        *(f"| {part} | {median(round_.parts[part] for round_ in rounds):.2f} |" for part in rounds[0].parts),
        "",
        "| apart | seconds |",
        "|---|---|",
        *(f"| {what} | {seconds:.2f} |" for what, seconds in {**apart, **published}.items()),
    ]
    write_part("raw_to_gold", lines)


def _row(name: str, values: list[float], *rest: str) -> str:
    return "| " + " | ".join([name, *(f"{value:.2f}" for value in values), *rest]) + " |"


if __name__ == "__main__":
    main()
