"""What a person sees in a terminal: progress, tables, errors; the only room that prints. It knows no step's meaning."""

import io
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from decimal import Decimal
from types import TracebackType
from typing import Any, Self

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from cluster.errors import PlatformError

WIDTH_ELSEWHERE = 140
"""Columns where the output is no terminal, such as a log."""
WIDE = 100
"""Columns from which on a table has room to breathe."""


def _console(stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False)
    if not console.is_terminal:
        console.width = WIDTH_ELSEWHERE
    return console


OUT = _console(stderr=False)
ERR = _console(stderr=True)


@contextmanager
def stdout_is_ours() -> Iterator[None]:
    """Keep stdout for what a command answers; what libraries print there (Ray does) goes to stderr meanwhile."""
    OUT.file = sys.stdout
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        OUT.file = None  # type: ignore[assignment]  # whatever sys.stdout is by then


def hush_libraries() -> None:
    """Drop what libraries print from here to the end of `stdout_is_ours`."""
    sys.stdout = io.StringIO()


class ProgressReport:
    """A report for steps: a live bar per kind of task on a terminal, one line when it ends elsewhere; on stderr."""

    def __init__(self) -> None:
        """Prepare the display; it starts with the block."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=ERR, transient=True)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        """Start the display."""
        if ERR.is_terminal:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the display."""
        if ERR.is_terminal:
            self._progress.stop()

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show that `done` of `total` tasks have ended."""
        if not ERR.is_terminal:
            if done == total:
                ERR.print(f"{what}: {done} of {total}")
            return
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=total)
        self._progress.update(self._tasks[what], completed=done, total=total)


def say(text: str) -> None:
    """Print a line for a person, on stderr, as it stands."""
    ERR.print(text, markup=False, soft_wrap=True)


def show_json(value: Any) -> None:
    """Print one JSON document on stdout."""
    OUT.file.write(json.dumps(value, indent=2, default=str, ensure_ascii=False) + "\n")


def show_text(text: str) -> None:
    """Print a text on stdout as it stands."""
    OUT.file.write(text)


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table on stdout; numbers stand to the right.

    Args:
        title: Above the table.
        columns: Headings.
        rows: Cells: text, whole numbers, decimals or None.
    """
    listed = [list(row) for row in rows]
    table = Table(
        title=escape(title), title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False, show_edge=False,
        padding=(0, 1 if OUT.width >= WIDE else 0),
    )  # fmt: skip
    for place, name in enumerate(columns):
        numeric = any(isinstance(row[place], int | Decimal | float) for row in listed)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in listed:
        table.add_row(*(_text(cell) for cell in row))
    OUT.print(table)


def show_error(error: PlatformError, as_json: bool = False) -> None:
    """Print what, where, why and what to do."""
    if as_json:
        show_json(error.as_dict())
        return
    show_problem(error.as_dict())


def show_problem(problem: dict[str, str]) -> None:
    """Print a problem with the keys what, where, why and remedy; empty ones are left out."""
    ERR.print(f"[red]✗[/red] {escape(problem['what'])}")
    for name in ("where", "why", "remedy"):
        if problem.get(name):
            ERR.print(f"  {name:<7}{escape(problem[name])}", soft_wrap=True)


def money(amount: Decimal) -> str:
    """Give an amount with thousands and at least two decimals, none that is not zero cut off."""
    text = f"{amount:,.4f}"
    return text.removesuffix("0").removesuffix("0")


def _text(cell: Any) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, Decimal):
        return money(cell)
    return f"{cell:,}" if isinstance(cell, int) else escape(str(cell))
