"""`retail sample`: makes sample files, on Ray where they are many."""

from pathlib import Path

from cluster.ray_session import ray_session
from cluster.settings import Settings
from pipelines.sample import SampleReport, generate_sample, run_here
from pipelines.steps import Report
from ray_apps.console import ProgressReport, show_json, show_table
from ray_apps.signals import started

LINES_FOR_RAY = 400_000
"""From here on starting Ray costs less than it saves."""


def make_sample(settings: Settings, lines: int, seed: int, out: Path, as_json: bool) -> None:
    """Make a sample and say where it lies.

    Args:
        settings: Of this process.
        lines: Lines in all files.
        seed: Of the generator.
        out: Folder.
        as_json: Whether to print JSON.
    """
    with ProgressReport() as report:
        made = sample_files(settings, lines, seed, out, report)
    facts = {"data": str(made.data), "expected": str(made.expected), "files": made.files, "lines": made.lines}
    if as_json:
        show_json({**facts, "changed": made.changed, "seconds": round(made.seconds, 3)})
        return
    title = "Sample" if made.changed else "Sample (was there already)"
    show_table(title, ("what", "value"), list(facts.items()))


def sample_files(settings: Settings, lines: int, seed: int, out: Path, report: Report) -> SampleReport:
    """Make a sample.

    Args:
        settings: Of this process.
        lines: Lines in all files.
        seed: Of the generator.
        out: Folder.
        report: Progress.

    Returns:
        Where it lies.
    """
    if lines < LINES_FOR_RAY:
        return generate_sample(lines, seed, out, report, spread=run_here)
    with started(ray_session(settings)):
        return generate_sample(lines, seed, out, report)
