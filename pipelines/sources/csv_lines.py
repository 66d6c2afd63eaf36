"""Splits CSV text record by record where its lines are irregular, with the exact line of each; knows no file."""

import csv
from collections.abc import Iterator

from pipelines.sources.reader import DeadLine

LONGEST_RECORD_LINES = 1_000
"""A record of more lines has an unclosed quote: its first line is a dead letter, the next ones are read again."""

csv.field_size_limit(2**31 - 1)


def split_lines(text: str, width: int, first_line: int) -> tuple[list[list[str]], list[int], list[DeadLine]]:
    """Split text into records.

    Args:
        text: Whole lines.
        width: Cells of a record.
        first_line: Line number of the first line.

    Returns:
        The records of the right width, the line on which each begins, and the lines that are none. Blank lines are
        nothing.
    """
    lines = _physical_lines(text)
    records: list[list[str]] = []
    numbers: list[int] = []
    dead: list[DeadLine] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        cells, used = ([], 1) if not line.strip() else _record(lines, at)
        if isinstance(cells, str):
            dead.append(DeadLine(first_line + at, cells, _without_end(line)))
        elif cells and len(cells) != width:
            reason = "too_few_cells" if len(cells) < width else "too_many_cells"
            dead.append(DeadLine(first_line + at, reason, _without_end("".join(lines[at : at + used]))))
        elif cells:
            records.append(cells)
            numbers.append(first_line + at)
        at += used
    return records, numbers, dead


def _record(lines: list[str], at: int) -> tuple[list[str] | str, int]:
    """Read the record that begins at a line: its cells, or the reason why it is none, and the lines it takes."""
    if '"' not in lines[at]:
        return _without_end(lines[at]).split(","), 1
    source = _Lines(lines, at)
    try:
        cells = next(csv.reader(source))
    except csv.Error:
        return "malformed_line", 1
    if source.ran_out:
        return "unclosed_quote", 1
    return cells, source.at - at


class _Lines(Iterator[str]):
    """Hands lines to the csv module and notes whether it asked for more than a record may have."""

    def __init__(self, lines: list[str], at: int) -> None:
        self.lines = lines
        self.at = at
        self.end = min(len(lines), at + LONGEST_RECORD_LINES)
        self.ran_out = False

    def __next__(self) -> str:
        if self.at >= self.end:
            self.ran_out = True
            raise StopIteration
        self.at += 1
        return self.lines[self.at - 1]


def _physical_lines(text: str) -> list[str]:
    """Cut after each line feed; other line separators of Unicode stay inside their cell."""
    lines = [line + "\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def _without_end(line: str) -> str:
    return line.removesuffix("\n").removesuffix("\r")
