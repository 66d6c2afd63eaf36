import gzip
import hashlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cluster.storage import Storage
from pipelines.sources.csv_lines import LONGEST_RECORD_LINES, split_lines
from pipelines.sources.csv_reader import CsvReader, _read_regular
from pipelines.sources.reader import Cells, Inspection

HEADER = "a,b,c\n"


def read(tmp_path: Path, data: bytes, part_bytes: int = 10**9, name: str = "x.csv") -> tuple[Inspection, list[Cells]]:
    """Write, inspect and read a file in parts."""
    file = tmp_path / name
    file.write_bytes(data)
    storage = Storage(str(tmp_path / "lake"))
    reader = CsvReader()
    inspection = reader.inspect(storage, str(file), str(tmp_path / "scratch"), part_bytes)
    return inspection, [reader.read(storage, part, len(inspection.header)) for part in inspection.parts]


def rows(cells: list[Cells]) -> list[tuple[object, ...]]:
    return [row for part in cells for row in part.frame.rows()]


def dead(cells: list[Cells]) -> list[tuple[int, str, str]]:
    return [(line.row_number, line.reason, line.raw_text) for part in cells for line in part.dead]


def test_cells_are_verbatim(tmp_path: Path) -> None:
    text = HEADER + ' x ,NA,null\n01,-0.50,\n"a,b","say ""hi""","two\nlines"\n'
    _, cells = read(tmp_path, text.encode())
    assert rows(cells) == [
        (" x ", "NA", "null", 2),
        ("01", "-0.50", "", 3),
        ("a,b", 'say "hi"', "two\nlines", 4),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("last", [True, False])
def test_line_ends_and_byte_order_mark(tmp_path: Path, end: str, bom: bytes, last: bool) -> None:
    text = f"a,b,c{end}1,2,3{end}4,5,6" + (end if last else "")
    inspection, cells = read(tmp_path, bom + text.encode())
    assert inspection.header == ("a", "b", "c")
    assert inspection.header_text == "a,b,c"
    assert rows(cells) == [("1", "2", "3", 2), ("4", "5", "6", 3)]


def test_ragged_blank_and_broken_lines_keep_their_line_numbers(tmp_path: Path) -> None:
    text = HEADER + '1,2,3\n\n4,5\n"x\ny",2,3\n6,7,8,9\n7,8,9\n"open,1,2\n8,9,10\n'
    _, cells = read(tmp_path, text.encode())
    assert rows(cells) == [("1", "2", "3", 2), ("x\ny", "2", "3", 5), ("7", "8", "9", 8), ("8", "9", "10", 10)]
    assert dead(cells) == [
        (4, "too_few_cells", "4,5"),
        (7, "too_many_cells", "6,7,8,9"),
        (9, "unclosed_quote", '"open,1,2'),
    ]


def test_a_record_of_too_many_lines_is_an_unclosed_quote() -> None:
    text = '"open,1,2\n' + "1,2,3\n" * (LONGEST_RECORD_LINES + 5)
    records, numbers, lost = split_lines(text, 3, 2)
    assert len(records) == LONGEST_RECORD_LINES + 5
    assert numbers[0] == 3
    assert [line.reason for line in lost] == ["unclosed_quote"]


def test_gzip_gives_what_the_plain_file_gives(tmp_path: Path) -> None:
    data = (HEADER + "".join(f"{i},x,y\n" for i in range(500))).encode()
    zipped = gzip.compress(data)
    inspection, cells = read(tmp_path, zipped, 700, "x.csv.gz")
    _, plain = read(tmp_path, data, 10**9)
    assert rows(cells) == rows(plain)
    assert len(inspection.parts) > 3
    assert inspection.sha256 == hashlib.sha256(zipped).hexdigest()
    assert inspection.size_bytes == len(zipped)


@pytest.mark.parametrize(
    ("data", "name", "what", "why"),
    [
        (b"", "x.csv", "The file is empty", "no header"),
        (b"\n \n", "x.csv", "The file is empty", "no header"),
        (b"a,b,c\n1,2,\xa3\n", "x.csv", "The file is not UTF-8", "line 2"),
        (b"a,b,c\n1,2,\xe2\x82", "x.csv", "The file is not UTF-8", "not UTF-8"),
        (b"a,b,c\n", "x.csv.gz", "The file is not a whole gzip file", "gzip"),
        (gzip.compress(b"a,b,c\n" * 999, mtime=0)[:-9], "x.csv.gz", "The file is not a whole gzip file", "ended"),
    ],
)
def test_unreadable_files_say_what_why_and_the_remedy(
    tmp_path: Path, data: bytes, name: str, what: str, why: str
) -> None:
    inspection, cells = read(tmp_path, data, name=name)
    assert inspection.refusal["what"] == what
    assert why in inspection.refusal["why"]
    assert inspection.refusal["where"].endswith(name)
    assert inspection.refusal["remedy"]
    assert cells == []


def test_a_header_alone_is_a_file_without_lines(tmp_path: Path) -> None:
    inspection, cells = read(tmp_path, b"a,b,c\n")
    assert not inspection.refusal
    assert rows(cells) == []


cell = st.text(st.sampled_from(list('ab,"\n é;')), max_size=6)


@given(st.lists(st.tuples(cell, cell, cell), max_size=25), st.integers(1, 60))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_parts_of_any_size_give_the_same_records(
    tmp_path: Path, records: list[tuple[str, str, str]], part_bytes: int
) -> None:
    """Whatever stands in quoted cells, and wherever the file is cut: same cells, same line numbers, none lost."""
    quoted = [",".join('"' + value.replace('"', '""') + '"' for value in record) for record in records]
    text = HEADER + "".join(line + "\n" for line in quoted)
    _, whole = read(tmp_path, text.encode())
    inspection, cut = read(tmp_path, text.encode(), part_bytes)
    assert rows(cut) == rows(whole)
    assert [row[:3] for row in rows(whole)] == records
    assert dead(cut) == []
    starts = [2 + sum(line.count("\n") + 1 for line in quoted[:place]) for place in range(len(quoted))]
    assert [row[3] for row in rows(whole)] == starts
    assert sum(part.stop - part.start for part in inspection.parts) == len(text.encode()) - len(HEADER)


@given(st.lists(st.text(st.sampled_from(list('ab,"é')), max_size=9), max_size=12))
@settings(max_examples=200, deadline=None)
def test_arrow_and_the_line_splitter_read_alike(lines: list[str]) -> None:
    """Where Arrow accepts a part, the splitter gives the same cells; so results do not hang on where a file is cut."""
    text = "".join(line + "\n" for line in lines)
    regular = _read_regular(text.encode(), ["0", "1"])
    if regular is not None:
        records, _, lost = split_lines(text, 2, 2)
        assert [list(row) for row in regular.rows()] == records
        assert lost == []
