"""The record of runs in ops.runs; knows no step.

A run is recorded by the holder of the lake's lease, so one that is still `running` when the next starts has died.
"""

from collections.abc import Sequence
from typing import Any, Literal

from psycopg.errors import UndefinedTable
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from cluster.warehouse import connect
from warehouse_sql.statements import statement


def start_run(url: str, run_id: str, command: str) -> None:
    """Record that a run begins, and that those before it which never ended have failed.

    Args:
        url: The warehouse.
        run_id: The run.
        command: What was asked for.
    """
    with connect(url) as connection:
        connection.execute(statement("runs/close_dead").encode())
        connection.execute(statement("runs/start").encode(), {"run_id": run_id, "command": command})


def end_run(
    url: str,
    run_id: str,
    status: Literal["succeeded", "failed"],
    error: str | None,
    steps: Sequence[dict[str, Any]],
) -> None:
    """Record how a run ended.

    Args:
        url: The warehouse.
        run_id: The run.
        status: How it ended.
        error: Why it failed.
        steps: `StepResult.as_dict()` of each step that ended.
    """
    with connect(url) as connection:
        values = {"run_id": run_id, "status": status, "error": error, "steps": Jsonb(list(steps))}
        connection.execute(statement("runs/end").encode(), values)


def last_runs(url: str, limit: int) -> list[dict[str, Any]]:
    """Give the last runs, newest first.

    Args:
        url: The warehouse.
        limit: How many at most.

    Returns:
        The columns of ops.runs; nothing from a warehouse that no command has migrated yet.
    """
    with connect(url, row_factory=dict_row) as connection:
        try:
            rows: list[dict[str, Any]] = connection.execute(
                statement("runs/last").encode(), {"limit": limit}
            ).fetchall()
        except UndefinedTable:
            return []
    return rows
