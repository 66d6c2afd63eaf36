import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from cluster.delta_sink import read_files
from cluster.settings import load_settings
from cluster.storage import Storage
from pipelines.bronze_parts import FileRead, PartItem, RefinedPart, read_part, refine_bronze_file
from pipelines.scratch import scan_scratch
from pipelines.sources.csv_reader import CsvReader
from warehouse_sql.tables.arrow import arrow_schema
from warehouse_sql.tables.bronze import DEAD_LETTERS, SALES_LINES, DeadLetter, SalesLine

COLUMNS = ("invoice_no", "stock_code", "description", "quantity", "invoice_date", "unit_price", "customer_id",
           "country", "colour")  # fmt: skip
TEXT = """Invoice,Code,Text,Quantity,Date,Price,Customer,Country,Colour
 536365 ,85123a,HEART,6.0,12/1/2010 8:26,2.55,17850.0,United Kingdom, red
536366,85123A,"A, B",1,13/1/2011,1,,France,
short,line
536366,85123A,"A, B",0,2/3/2011,1,,France,
"""
NOW = datetime(2012, 1, 1, tzinfo=UTC)
SETTINGS = load_settings(batch_rows=2)


@pytest.fixture
def file(tmp_path: Path) -> FileRead:
    (tmp_path / "shop.csv").write_text(TEXT)
    look = CsvReader().inspect(Storage(str(tmp_path)), str(tmp_path / "shop.csv"), str(tmp_path / "s"), 10**9)
    return FileRead.of(look, COLUMNS, "run-7", SETTINGS, NOW)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(str(tmp_path / "lake"))


def read(storage: Storage, file: FileRead, buckets: int) -> RefinedPart:
    return RefinedPart(**read_part(storage, SETTINGS, PartItem(file, file.parts[0], 0, buckets))["part"])


def test_cells_are_kept_verbatim_with_their_metadata(storage: Storage, file: FileRead) -> None:
    part = read(storage, file, 0)
    assert part.written is not None
    rows = read_files(storage, [f"{storage.table_uri(SALES_LINES)}/{part.written.path}"])
    assert part.written.path.startswith("batch_id=run-7/")
    assert rows.row(0, named=True) == {
        "invoice_no": " 536365 ", "stock_code": "85123a", "description": "HEART", "quantity": "6.0",
        "invoice_date": "12/1/2010 8:26", "unit_price": "2.55", "customer_id": "17850.0",
        "country": "United Kingdom", "colour": " red", "row_number": 2, "row_id": f"{file.sha256[:16]}:2",
        "source_system": "files", "file_name": "shop.csv", "file_sha256": file.sha256, "ingested_at": NOW,
    }  # fmt: skip
    assert rows["row_number"].to_list() == [2, 3, 5]
    assert set(arrow_schema(SalesLine).names) - set(rows.columns) == {"discount_amount", "batch_id"}


def test_dead_letters_have_their_text_and_line(storage: Storage, file: FileRead) -> None:
    part = read(storage, file, 0)
    assert part.written_dead is not None
    (row,) = read_files(storage, [f"{storage.table_uri(DEAD_LETTERS)}/{part.written_dead.path}"]).to_dicts()
    assert (row["row_number"], row["reason"], row["raw_text"]) == (4, "too_few_cells", "short,line")
    assert set(row) == set(arrow_schema(DeadLetter).names)


def test_facts_of_a_part_and_of_its_file(storage: Storage, file: FileRead) -> None:
    part = read(storage, file, 0)
    assert (part.lines, part.dead_letters, part.amount) == (3, 1, Decimal("16.3"))
    assert (part.only_day_first, part.only_month_first, part.slash_dates) == (1, 0, 3)
    assert (part.batch_id, part.scratch, part.months) == ("run-7", (), ())
    row = file.as_row([part, RefinedPart("other", "0" * 64, "run-7", 99, Decimal(1))])
    assert (row["line_count"], row["dead_letter_count"], row["outcome"]) == (3, 1, "ingested")
    assert json.loads(row["alias_map"])["Colour"] == "colour"
    assert row["header"] == TEXT.splitlines()[0]


def test_refining_on_the_way_equals_refining_from_bronze(storage: Storage, file: FileRead) -> None:
    on_the_way = read(storage, file, 2)
    assert on_the_way.written is not None
    item = {
        "uri": f"{storage.table_uri(SALES_LINES)}/{on_the_way.written.path}", "batch_id": "run-7",
        "date_orders": {file.sha256: "month_first"}, "buckets": 2, "run_id": "run-8",
    }  # fmt: skip
    later = RefinedPart(**refine_bronze_file(storage, SETTINGS, item)["part"])
    assert len(later.scratch) == len(on_the_way.scratch) == 4
    for first, second in zip(on_the_way.scratch, later.scratch, strict=True):
        assert first != second
        assert scan_scratch(storage, first).collect().equals(scan_scratch(storage, second).collect())
    for name in ("name", "file_sha256", "batch_id", "lines", "amount", "months", "slash_dates"):
        assert getattr(later, name) == getattr(on_the_way, name)


def test_the_order_of_dates_is_the_one_the_file_was_read_with(storage: Storage, file: FileRead) -> None:
    on_the_way = read(storage, file, 0)
    assert on_the_way.written is not None
    item = {
        "uri": f"{storage.table_uri(SALES_LINES)}/{on_the_way.written.path}", "batch_id": "run-7",
        "date_orders": {file.sha256: "day_first"}, "buckets": 1, "run_id": "run-8",
    }  # fmt: skip
    later = RefinedPart(**refine_bronze_file(storage, SETTINGS, item)["part"])
    assert later.months == ("2010-01", "2011-01")
