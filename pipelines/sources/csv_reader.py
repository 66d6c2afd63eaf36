"""Reads CSV, plain or gzipped: verbatim cells, exact line numbers, dead letters. It knows no column and no rule.

A part is read by Arrow. Where Arrow's rows do not match the lines of the part one to one (blank or ragged lines, line
breaks inside quotes), the part is split by `csv_lines` instead, which gives the same cells and the exact line of each.
"""

import csv
import io

import polars as pl
import pyarrow as pa
import pyarrow.csv as pc

from cluster.storage import Storage
from pipelines.sources.csv_lines import split_lines
from pipelines.sources.csv_scan import Scan, scan_text
from pipelines.sources.reader import Cells, Inspection, Part

UTF8_BOM = b"\xef\xbb\xbf"


class CsvReader:
    """Comma-separated UTF-8 text with a header line, with or without byte-order mark, `.csv` or `.csv.gz`."""

    def inspect(self, storage: Storage, uri: str, scratch: str, part_bytes: int) -> Inspection:
        """Hash a file, read its header and find where it may be cut.

        Args:
            storage: Opens the file.
            uri: The file.
            scratch: Where the text of a gzipped file may be put.
            part_bytes: Bytes of a part, roughly; a record is never cut.

        Returns:
            The inspection, with a refusal for an empty, non-UTF-8 or damaged file.
        """
        scan = scan_text(storage, uri, scratch, part_bytes)
        name = uri.rstrip("/").rpartition("/")[2]
        known = Inspection(uri, name, scan.sha256, scan.size_bytes)
        if scan.refusal:
            return Inspection(**{**vars(known), "refusal": scan.refusal})
        header_text = scan.header.removeprefix(UTF8_BOM).decode().rstrip("\r\n")
        try:
            header = tuple(next(csv.reader(io.StringIO(header_text)), []))
        except csv.Error as error:
            return Inspection(**{**vars(known), "refusal": _unreadable_header(uri, header_text, str(error))})
        return Inspection(
            **{**vars(known), "header_text": header_text, "header": header, "parts": _parts(scan, part_bytes)}
        )

    def read(self, storage: Storage, part: Part, width: int) -> Cells:
        """Read the lines of a part.

        Args:
            storage: Opens the text.
            part: Which bytes.
            width: Number of cells that the header has.

        Returns:
            Cells and dead lines; together they are all lines of the part but blank ones.
        """
        data = storage.read_bytes(part.text_uri, part.start, part.stop)
        names = [str(place) for place in range(width)]
        frame = _read_regular(data, names)
        if frame is not None:
            numbers = pl.int_range(part.first_line, part.first_line + frame.height, dtype=pl.Int64, eager=True)
            return Cells(frame.with_columns(numbers.alias("row_number")), ())
        records, numbers_list, dead = split_lines(data.decode(), width, part.first_line)
        columns = list(zip(*records, strict=True)) or [()] * width
        cells = [pl.Series(name, column, dtype=pl.String) for name, column in zip(names, columns, strict=True)]
        return Cells(pl.DataFrame([*cells, pl.Series("row_number", numbers_list, dtype=pl.Int64)]), tuple(dead))


def _unreadable_header(uri: str, header_text: str, why: str) -> dict[str, str]:
    """Say what is wrong with a header line; the commonest cause is a file of the old Mac, whose lines end with CR."""
    if "\r" in header_text:
        why, remedy = (
            "its lines end with a carriage return alone",
            "Convert it, for instance: tr '\\r' '\\n' < OLD.csv > NEW.csv",
        )
    else:
        remedy = "Correct its first line, or deliver the file again."
    return {"what": "The header line cannot be read", "where": uri, "why": why, "remedy": remedy}


def _parts(scan: Scan, part_bytes: int) -> tuple[Part, ...]:
    """Make parts between the cuts; a short last one goes with the one before it."""
    if len(scan.cuts) > 1 and scan.text_bytes - scan.cuts[-1][0] < part_bytes / 4:
        scan.cuts.pop()
    ends = [*(start for start, _ in scan.cuts[1:]), scan.text_bytes]
    return tuple(Part(scan.text_uri, start, stop, line) for (start, line), stop in zip(scan.cuts, ends, strict=True))


def _read_regular(data: bytes, names: list[str]) -> pl.DataFrame | None:
    """Parse a part in which each line is one record of the right width; None when it is not such a part."""
    lines = data.count(b"\n") + (not data.endswith(b"\n") and len(data) > 0)
    if not lines or data.count(b"\r") != data.count(b"\r\n"):
        return None
    ragged = False

    def note_ragged(row: pc.InvalidRow) -> str:
        nonlocal ragged
        ragged = True
        return "skip"

    try:
        table = pc.read_csv(
            pa.BufferReader(data),
            read_options=pc.ReadOptions(column_names=names, use_threads=False, block_size=max(len(data), 1)),
            parse_options=pc.ParseOptions(newlines_in_values=True, invalid_row_handler=note_ragged),
            convert_options=pc.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:
        return None
    if ragged or table.num_rows != lines:
        return None
    frame = pl.DataFrame(pl.from_arrow(table))
    return frame if _ends_alike(frame, data) else None


def _ends_alike(frame: pl.DataFrame, data: bytes) -> bool:
    """Whether the last line reads the same alone: Arrow closes a quote that the end of the data leaves open."""
    last_line = data[data.rfind(b"\n", 0, len(data) - 1) + 1 :].decode()
    return split_lines(last_line, frame.width, 0)[0] == [list(frame.row(-1))]
