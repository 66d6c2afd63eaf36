"""Spreads a step's tasks over Ray with Ray Data; knows no step.

A task gets one small item (a byte range, a few file names), reads and writes its files where it runs, and returns one
small row. It may run twice, on any node, without the driver's memory, environment or folder. An error of ours comes
back as it was raised: Ray Data would hand on its text only.
"""

import pickle
from collections.abc import Callable, Sequence
from typing import Any

from cluster.errors import PlatformError
from pipelines.steps import Report

Row = dict[str, Any]


def run_tasks(task: Callable[[Any], Row], items: Sequence[Any], what: str, report: Report, cpus: int = 1) -> list[Row]:
    """Run one Ray Data task per item.

    Args:
        task: Module-level function (or `functools.partial` of one): item → small row.
        items: Small picklable items.
        what: What the tasks do, for the progress display.
        report: Called after each task.
        cpus: CPUs that Ray reserves for a task.

    Returns:
        One row per item, in the order of the items, each with `node_id`, the node that ran it.

    Raises:
        PlatformError: A task raised it.
    """
    import ray.data

    if not items:
        return []
    report(what, 0, len(items))
    numbered = [{"number": number, "item": pickle.dumps(item)} for number, item in enumerate(items)]
    rows: list[Row] = []
    dataset = ray.data.from_items(numbered, override_num_blocks=len(numbered)).map(
        _run_one, fn_args=(task,), num_cpus=cpus
    )
    for row in dataset.iter_rows():
        if row["error"]:
            error: PlatformError = pickle.loads(row["error"])
            raise error
        rows.append(row)
        report(what, len(rows), len(items))
    return [pickle.loads(row["row"]) | {"node_id": row["node_id"]} for row in sorted(rows, key=_number)]


def nodes_of(rows: Sequence[Row]) -> dict[str, int]:
    """Count tasks by the node that ran them."""
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["node_id"]] = counts.get(row["node_id"], 0) + 1
    return counts


def _number(row: Row) -> int:
    return int(row["number"])


def _run_one(numbered: Row, task: Callable[[Any], Row]) -> Row:
    import ray

    row, error = b"", b""
    try:
        row = pickle.dumps(task(pickle.loads(numbered["item"])))
    except PlatformError as raised:
        error = pickle.dumps(raised)
    node_id = ray.get_runtime_context().get_node_id()
    return {"number": numbered["number"], "row": row, "error": error, "node_id": node_id}
