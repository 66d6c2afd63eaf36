"""Makes a sample: plans it, has its files made one task each, and writes the figures beside them; knows no rule."""

import gzip
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate
from pathlib import Path
from time import perf_counter
from typing import Any

import polars as pl

from cluster.errors import ConfigurationError
from pipelines.sample.catalogue import make_catalogue
from pipelines.sample.drawn import draw_file
from pipelines.sample.figures import add_figures, figures_of
from pipelines.sample.plan import FEWEST_LINES, Delivery, plan_sample, random_stream, stated_counts
from pipelines.sample.spelling import OFFICE, SAME_AGAIN, TILL, spell_again, spell_lines
from pipelines.steps import Report
from pipelines.tasks import Row, run_tasks

VERSION = 1
"""Goes up when the same size and seed give other bytes."""
START = date(2023, 1, 2)
"""A sample spans at most two years of trading days, so none of it lies in the future."""
DATA, EXPECTED, UNFINISHED = "data", "expected.json", ".unfinished"

Spread = Callable[[Callable[[Any], Row], Sequence[Any], str, Report], list[Row]]


@dataclass(frozen=True)
class SampleReport:
    """A sample that is there.

    Attributes:
        data: Folder of the files, to be ingested.
        expected: JSON file with the figures that a correct run must reach.
        files: How many files.
        lines: Lines delivered, dead letters included, headers not.
        seconds: Wall time.
        changed: False where the very sample was there before.
    """

    data: Path
    expected: Path
    files: int
    lines: int
    seconds: float
    changed: bool


@dataclass(frozen=True)
class FileItem:
    """What a task is given: which file of which sample.

    Attributes:
        seed: The sample's seed.
        lines: The sample's lines.
        delivery: The file.
        passed: Per day of the file, the share of the sample's days that lie before it.
        folder: Where to write; every node that runs tasks must reach it.
    """

    seed: int
    lines: int
    delivery: Delivery
    passed: tuple[float, ...]
    folder: str


def run_here(task: Callable[[Any], Row], items: Sequence[Any], what: str, report: Report) -> list[Row]:
    """Run tasks one after the other in this process, where a sample is too small for Ray's start-up.

    Args:
        task: Item → small row.
        items: Items.
        what: What the tasks do, for the progress display.
        report: Called after each task.

    Returns:
        One row per item.
    """
    rows: list[Row] = []
    for item in items:
        report(what, len(rows), len(items))
        rows.append(task(item))
    report(what, len(rows), len(items))
    return rows


def generate_sample(  # noqa: PLR0913 - two of the six say how, not what
    lines: int,
    seed: int,
    out: Path,
    report: Report = lambda what, done, total: None,
    *,
    start: date = START,
    spread: Spread = run_tasks,
) -> SampleReport:
    """Make a sample, the same bytes for the same size, seed and start on however many processes.

    Args:
        lines: Lines of all files, second deliveries and dead letters included.
        seed: Whole number from 0.
        out: Folder that gets `data/` with the files and `expected.json`; on a cluster, one that all nodes share.
        report: Told of the progress.
        start: First possible day.
        spread: Runs one task per file: over Ray, or `run_here`.

    Returns:
        Where it lies. The very same sample that is there already is left as it is.

    Raises:
        ConfigurationError: Too few lines, a negative seed, or the folder holds something else.
    """
    began = perf_counter()
    _check(lines, seed)
    out = out.absolute()
    generator = {"version": VERSION, "lines": lines, "seed": seed, "start": start.isoformat()}
    if _is_there(out, generator):
        files = json.loads((out / EXPECTED).read_text())["files"]
        report("sample", files, files)
        return SampleReport(out / DATA, out / EXPECTED, files, lines, perf_counter() - began, changed=False)
    unfinished = out / UNFINISHED
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    rows = spread(write_delivery, _items(lines, seed, start, unfinished), "sample", report)
    sizes = {name: size for row in rows for name, size in row["sizes"].items()}
    expected = {"generator": generator, "stated": stated_counts(lines), "files": len(sizes), "file_sizes": sizes}
    expected |= add_figures([row["figures"] for row in rows])
    unfinished.rename(out / DATA)
    (out / EXPECTED).write_text(json.dumps(expected, indent=2) + "\n")
    return SampleReport(out / DATA, out / EXPECTED, len(sizes), lines, perf_counter() - began, changed=True)


def write_delivery(item: FileItem) -> Row:
    """Make one file and the second deliveries of its days.

    Args:
        item: The file.

    Returns:
        `sizes` (file name → bytes) and `figures`.
    """
    delivery, folder = item.delivery, Path(item.folder)
    rng = random_stream(item.seed, 2, delivery.number)
    catalogue = make_catalogue(item.lines, item.seed)
    drawn = draw_file(catalogue, delivery, item.passed, rng)
    text = spell_lines(catalogue, drawn, TILL)
    sizes = {delivery.name: _write(folder / delivery.name, TILL.header, text)}
    ends = list(accumulate((day.lines for day in delivery.days), initial=0))
    other = None
    for place, day in enumerate(delivery.days):
        if not day.again:
            continue
        header, again = SAME_AGAIN, text
        if day.again == "other":
            if other is None:
                other = spell_again(text, spell_lines(catalogue, drawn, OFFICE), drawn.faults)
            header, again = OFFICE.header, other
        name = f"sales_{day.day.isoformat()}_again.csv"
        sizes[name] = _write(folder / name, header, again.slice(ends[place], day.lines))
    return {"sizes": sizes, "figures": figures_of(catalogue, drawn)}


def _items(lines: int, seed: int, start: date, folder: Path) -> list[FileItem]:
    deliveries = plan_sample(lines, seed, start)
    count = sum(len(delivery.days) for delivery in deliveries)
    firsts = accumulate((len(delivery.days) for delivery in deliveries), initial=0)
    return [
        FileItem(seed, lines, delivery, tuple((first + i) / count for i in range(len(delivery.days))), str(folder))
        for first, delivery in zip(firsts, deliveries, strict=False)
    ]


def _write(path: Path, header: str, text: pl.Series) -> int:
    """Write a file; compressed ones carry no time of their own, so that the same lines give the same bytes."""
    data = f"{header}\n{text.str.join(chr(10)).item()}\n".encode()
    if path.suffix == ".gz":
        data = gzip.compress(data, compresslevel=3, mtime=0)
    return path.write_bytes(data)


def _check(lines: int, seed: int) -> None:
    if lines < FEWEST_LINES:
        raise ConfigurationError(
            f"A sample of {lines} lines is too small", why="it has at least two lines of each odd kind",
            remedy=f"Ask for {FEWEST_LINES} lines or more.",
        )  # fmt: skip
    if seed < 0:
        raise ConfigurationError("The seed is negative", where=str(seed), remedy="Use a whole number from 0.")


def _is_there(out: Path, generator: dict[str, Any]) -> bool:
    """Whether the folder holds this sample, whole; an empty or missing folder holds none."""
    data, expected = out / DATA, out / EXPECTED
    if not data.exists() and not expected.exists():
        return False
    try:
        found = json.loads(expected.read_text())
        known, sizes = found["generator"], found["file_sizes"]
        there = {file.name: file.stat().st_size for file in data.iterdir()}
    except (OSError, ValueError, KeyError, TypeError):
        known, sizes, there = None, {}, {}
    if known == generator and there == sizes:
        return True
    why = "its files were changed" if known == generator else f"it holds {known or 'something else'}"
    raise ConfigurationError(
        "The folder holds another sample", where=str(out), why=why, remedy="Name another folder, or remove this one."
    )
