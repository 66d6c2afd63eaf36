"""Files to bronze: every cell as it arrived, every line accounted for. It commits; what a line means is refine's.

Reads: source files. Writes: bronze.sales_lines, bronze.dead_letters, bronze.files (main, committed last; it names the
versions of the others). Mode: append; files whose bytes were ingested before are skipped.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import polars as pl

from cluster.delta_sink import WrittenFile, write_file
from cluster.errors import DataError
from cluster.lakehouse import Commit, RowCounts, TableVersion
from pipelines.bronze_parts import FileRead, PartItem, RefinedPart, read_part
from pipelines.sources import READERS, suffix_of
from pipelines.sources.columns import load_aliases, map_columns
from pipelines.sources.discover import find_files
from pipelines.sources.reader import Inspection
from pipelines.steps import Money, StepContext, StepResult, assert_reconciled
from pipelines.tasks import Row, nodes_of, run_tasks
from warehouse_sql.tables.arrow import arrow_schema
from warehouse_sql.tables.bronze import DEAD_LETTERS, FILES, SALES_LINES, DeadLetter, SalesLine, SourceFile

BYTES_PER_LINE = 64
"""Lower bound of a sales line's length, to plan the number of buckets before the lines are counted."""


@dataclass(frozen=True)
class Carried:
    """Refined lines that bronze hands to silver, so that the text is read once.

    Attributes:
        parts: One per bronze file of the run.
        buckets: Number of buckets that their keys are spread over.
    """

    parts: tuple[RefinedPart, ...]
    buckets: int


def ingest(context: StepContext, inputs: Sequence[str], carry: bool = False) -> tuple[StepResult, Carried | None]:
    """Ingest files into bronze.

    Args:
        context: Settings, lake and report.
        inputs: Files, folders, globs or URLs.
        carry: Whether the refined lines are kept in scratch for `silver.refine` of the same run.

    Returns:
        What was done, and the refined lines if they were to be kept.

    Raises:
        FatalError: Lines or money do not add up; nothing was committed.
    """
    began = time.monotonic()
    context.lake.heal(FILES, (SALES_LINES, DEAD_LETTERS))
    found = find_files(context.lake.storage, inputs)
    inspections = _inspect(context, found.uris)
    files, refusals, messages = _accept(context, inspections)
    buckets = bucket_count(
        sum(part.stop - part.start for file in files for part in file.parts) // BYTES_PER_LINE, context
    )
    items = [
        PartItem(file, part, number, buckets if carry else 0)
        for file in files
        for number, part in enumerate(file.parts)
    ]
    rows = run_tasks(partial(read_part, context.lake.storage, context.settings), items, "bronze", context.report)
    parts = [RefinedPart(**row["part"]) for row in rows]
    late = _refuse_by_dates(files, parts)
    for sha, refusal in late.items():
        refusals.append((next(file for file in files if file.sha256 == sha), refusal))
    kept = [file for file in files if file.sha256 not in late]
    parts = _without_refused(context, parts, late)
    messages += _date_order_messages(kept, parts) + _line_messages(kept, parts)
    version = _commit(context, kept, refusals, parts)
    lines = sum(part.lines for part in parts)
    amount = sum((part.amount for part in parts), Decimal(0))
    counts, money = RowCounts(lines, lines, 0, 0), Money(amount, amount)
    assert_reconciled("bronze", counts, money)
    result = StepResult(
        "bronze", version, counts, money, time.monotonic() - began,
        changed=bool(kept or refusals),
        messages=tuple(messages),
        refusals=(*found.refusals, *(refusal for _, refusal in refusals)),
        nodes={"bronze": nodes_of(rows)},
    )  # fmt: skip
    return result, Carried(tuple(parts), buckets) if carry else None


def bucket_count(lines: int, context: StepContext) -> int:
    """Plan over how many buckets lines are matched: one per `bucket_rows`, two where that occupies a second core."""
    return max(1 + (lines >= 200_000), -(-lines // context.settings.bucket_rows))


def _inspect(context: StepContext, uris: Sequence[str]) -> list[Inspection]:
    storage = context.lake.storage
    scratch = storage.scratch_uri(context.lake.run_id)
    task = partial(_inspect_one, storage, scratch, context.settings.range_bytes)
    return [row["inspection"] for row in run_tasks(task, uris, "inspect", context.report)]


def _inspect_one(storage: Any, scratch: str, part_bytes: int, uri: str) -> Row:
    reader = READERS[suffix_of(uri) or ""]
    try:
        return {"inspection": reader.inspect(storage, uri, scratch, part_bytes)}
    except OSError as error:
        refusal = {
            "what": "The file cannot be opened",
            "where": uri,
            "why": str(error),
            "remedy": "Check its permissions.",
        }
        return {"inspection": Inspection(uri, uri.rpartition("/")[2], "", 0, refusal=refusal)}


def _accept(
    context: StepContext, inspections: Sequence[Inspection]
) -> tuple[list[FileRead], list[tuple[Inspection | FileRead, dict[str, str]]], list[str]]:
    """Sort files into those to read, those refused and those whose bytes were ingested before."""
    ingested = ingested_files(context)
    aliases = load_aliases(context.settings.column_aliases)
    now = datetime.now(UTC).replace(microsecond=0)
    files: list[FileRead] = []
    refusals: list[tuple[Inspection | FileRead, dict[str, str]]] = []
    messages: list[str] = []
    for file in inspections:
        if file.refusal:
            refusals.append((file, file.refusal))
        elif file.sha256 in ingested:
            messages.append(f"{file.name}: skipped, its bytes were ingested before as {ingested[file.sha256]}")
        else:
            try:
                columns = map_columns(file.header, aliases, file.uri)
            except DataError as error:
                refusals.append((file, {k: v for k, v in error.as_dict().items() if k != "error"}))
                continue
            ingested[file.sha256] = file.name
            files.append(FileRead.of(file, tuple(columns), context.lake.run_id, context.settings, now))
    return files, refusals, messages


def ingested_files(context: StepContext) -> dict[str, str]:
    """Give sha256 → name of every file whose lines are in bronze."""
    if not context.lake.exists(FILES):
        return {}
    files = (
        context.lake.scan(FILES).filter(pl.col("outcome") == "ingested").select("file_sha256", "file_name").collect()
    )
    return dict(files.iter_rows())


def _refuse_by_dates(files: Sequence[FileRead], parts: Sequence[RefinedPart]) -> dict[str, dict[str, str]]:
    """Refuse files in which more dates fit only the other order than fit only the chosen one."""
    refused = {}
    for file in files:
        own = [part for part in parts if part.file_sha256 == file.sha256]
        day_first, month_first = (
            sum(getattr(part, name) for part in own) for name in ("only_day_first", "only_month_first")
        )
        chosen, other = (day_first, month_first) if file.date_order == "day_first" else (month_first, day_first)
        if other > chosen:
            wanted = "month_first" if file.date_order == "day_first" else "day_first"
            refused[file.sha256] = {
                "what": f"The dates are not {file.date_order.replace('_', ' ')}",
                "where": file.uri,
                "why": f"{other} of its dates fit only {wanted.replace('_', ' ')}, {chosen} fit only the chosen order",
                "remedy": f"Set RETAIL_DATE_ORDER={wanted} and ingest the file again.",
            }
    return refused


def _date_order_messages(files: Sequence[FileRead], parts: Sequence[RefinedPart]) -> list[str]:
    messages = []
    for file in files:
        own = [part for part in parts if part.file_sha256 == file.sha256]
        if sum(part.slash_dates for part in own) and not sum(
            part.only_day_first + part.only_month_first for part in own
        ):
            order = file.date_order.replace("_", " ")
            messages.append(f"{file.name}: no date decides between day first and month first; read as {order}")
    return messages


def _line_messages(files: Sequence[FileRead], parts: Sequence[RefinedPart]) -> list[str]:
    """Say which files have no lines, and how many lines could not be split and so are not among those read."""
    with_lines = {part.file_sha256 for part in parts if part.lines or part.dead_letters}
    messages = [f"{file.name}: a header without lines" for file in files if file.sha256 not in with_lines]
    dead = sum(part.dead_letters for part in parts)
    if dead:
        messages.append(
            f"bronze: {dead:,} lines could not be split into cells, beside those read; see `retail rejects`"
        )
    return messages


def _without_refused(context: StepContext, parts: Sequence[RefinedPart], refused: dict[str, Any]) -> list[RefinedPart]:
    """Drop the parts of refused files, and the Parquet files that no commit will name."""
    storage = context.lake.storage
    for part in parts:
        if part.file_sha256 in refused:
            for table, written in ((SALES_LINES, part.written), (DEAD_LETTERS, part.written_dead)):
                if written:
                    storage.remove_file(f"{storage.table_uri(table)}/{written.path}")
    return [part for part in parts if part.file_sha256 not in refused]


def _commit(
    context: StepContext,
    files: Sequence[FileRead],
    refusals: Sequence[tuple[Inspection | FileRead, dict[str, str]]],
    parts: Sequence[RefinedPart],
) -> TableVersion | None:
    lake = context.lake
    before = lake.latest(FILES)
    notes = before[1] if before else {}
    if not files and not refusals:
        return TableVersion(FILES, before[0], notes["run_id"]) if before else None
    siblings = dict(notes.get("siblings", {}))
    lines = [part.written for part in parts if part.written]
    if lines:
        siblings[SALES_LINES] = lake.commit(SALES_LINES, _lines_commit(context, files, lines)).version
    dead = [part.written_dead for part in parts if part.written_dead]
    if dead:
        siblings[DEAD_LETTERS] = lake.commit(DEAD_LETTERS, Commit(dead, arrow_schema(DeadLetter))).version
    totals = {
        "rows": notes.get("rows", 0) + sum(part.lines for part in parts),
        "amount": str(Decimal(notes.get("amount", 0)) + sum((part.amount for part in parts), Decimal(0))),
        "dead_letters": notes.get("dead_letters", 0) + sum(part.dead_letters for part in parts),
        "siblings": siblings,
    }
    written = write_file(lake.storage, FILES, f"files-{lake.run_id}", _file_rows(context, files, refusals, parts))
    return lake.commit(FILES, Commit([written], arrow_schema(SourceFile), notes=totals))


def _lines_commit(context: StepContext, files: Sequence[FileRead], written: Sequence[WrittenFile]) -> Commit:
    """Add the run's partition; a partition that is new can also bring new columns, which an append cannot."""
    lake = context.lake
    schema = lake.schema(SALES_LINES) if lake.exists(SALES_LINES) else arrow_schema(SalesLine)
    for name in {column: None for file in files for column in file.columns}:
        if name not in schema.names:
            schema = schema.append(arrow_schema(SalesLine).field("invoice_no").with_name(name))
    return Commit(written, schema, ("batch_id",), "replace", (lake.run_id,))


def _file_rows(
    context: StepContext,
    files: Sequence[FileRead],
    refusals: Sequence[tuple[Inspection | FileRead, dict[str, str]]],
    parts: Sequence[RefinedPart],
) -> pl.DataFrame:
    now = datetime.now(UTC).replace(microsecond=0)
    rows = [file.as_row(parts) for file in files]
    for file, refusal in refusals:
        reason = ". ".join(refusal[key] for key in ("what", "why", "remedy") if refusal.get(key))
        rows.append(
            {
                "file_sha256": file.sha256, "file_name": file.name, "batch_id": context.lake.run_id,
                "source_system": context.settings.source_system, "ingested_at": now, "size_bytes": file.size_bytes,
                "header": file.header_text, "alias_map": "{}", "date_order": context.settings.date_order,
                "line_count": 0, "dead_letter_count": 0, "outcome": "refused", "reason": reason,
            }
        )  # fmt: skip
    return pl.DataFrame(rows, schema_overrides={"ingested_at": pl.Datetime("us", "UTC"), "reason": pl.String})
