"""The closing tables of a run; knows what a step result holds and nothing of how it came about."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from cluster.errors import PlatformError
from pipelines.steps import StepResult
from ray_apps.console import say, show_error, show_json, show_problem, show_table
from ray_apps.session import Run

COLUMNS = ("step", "rows in", "accepted", "rejected", "merged", "money in", "kept", "s")
"""Few and short: the table of half a million lines fits into 80 columns."""


def show_run(run: Run) -> None:
    """Print what each step did, what the reader should know, and what was refused."""
    show_table(f"Run {run.run_id}", COLUMNS, [_row(result) for result in run.results])
    for message in messages(run.results):
        say(f"• {message}")
    for refusal in run.refusals:
        show_problem(refusal)
    if is_all_refused(run):
        say("Every input was refused: all tables stay as they were.")
    elif run.refusals:
        say(f"{len(run.refusals)} inputs were refused; the others went through.")
    elif run.results and not any(result.changed for result in run.results):
        say("Nothing was new: all tables stay as they were.")


def show_broken(run: Run, error: PlatformError, as_json: bool) -> int:
    """Print what a run did before it failed, and why it did.

    Args:
        run: With the results of the steps that ended.
        error: What ended it.
        as_json: Whether to print one JSON document with both.

    Returns:
        Exit code.
    """
    if as_json:
        show_json({**run_as_dict(run), "status": "failed", **error.as_dict()})
    else:
        if run.results:
            show_run(run)
        show_error(error)
    return error.exit_code


def is_all_refused(run: Run) -> bool:
    """Whether inputs were named and none of them went through."""
    bronze = [result for result in run.results if result.step == "bronze"]
    return bool(run.refusals) and not any(result.counts.read or result.messages for result in bronze)


def exit_code(run: Run) -> int:
    """Give 1 when an input was refused, else 0."""
    return 1 if run.refusals else 0


def messages(results: Sequence[StepResult], most: int = 12) -> list[str]:
    """Give what the steps have to say; many lines of one kind are cut short."""
    said: list[str] = []
    for result in results:
        said += result.messages[:most]
        if len(result.messages) > most:
            said.append(f"{result.step}: and {len(result.messages) - most} more of that kind; see --json")
    return said


def run_as_dict(run: Run) -> dict[str, Any]:
    """Give a run for JSON."""
    return {
        "run_id": run.run_id,
        "status": "failed" if run.refusals else "succeeded",
        "steps": [result.as_dict() for result in run.results],
        "refusals": run.refusals,
    }


def _row(result: StepResult) -> tuple[Any, ...]:
    seconds = Decimal(f"{result.seconds:.2f}")
    if not result.changed:
        return (result.step, "unchanged", None, None, None, None, None, seconds)
    counts, amounts = result.counts, result.money
    rows = (counts.read, counts.accepted, counts.rejected, counts.merged)
    return (result.step, *rows, amounts.read, amounts.accepted, seconds)
