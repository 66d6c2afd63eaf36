from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from hashlib import blake2b

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.identity import field_of, hash_fields, hash_total, line_ids, sale_keys, text_of
from pipelines.typed import typed_lines
from tests.unit.pipelines.bronze_cells import GOOD, cells_of


def plain_hash(kind: bytes, values: Sequence[str | None]) -> bytes:
    """Hash fields as docs/identity.md says, with nothing of the pipeline."""
    data = b"\x01" + kind
    for value in values:
        data += b"~" if value is None else str(len(value.encode())).encode() + b":" + value.encode()
    return blake2b(data, digest_size=16).digest()


def line_hash(**cells: str | None) -> bytes:
    return bytes(typed_lines(cells_of([cells]), "month_first")["line_hash"][0])


def test_a_typed_line_is_hashed_byte_by_byte() -> None:
    cells = {
        "invoice_no": " c536365 ", "stock_code": "85123a", "description": " WHITE  CAFÉ ", "quantity": "6.0",
        "invoice_date": "12/1/2010 8:26", "unit_price": "2.55", "customer_id": "17850.0", "country": "ireland",
        "discount_amount": "1.5",
    }  # fmt: skip
    fields = ["C536365", "85123A", "WHITE CAFÉ", "6", "2.5500", "2010-12-01 08:26:00", "17850", "EIRE", "1.5000"]
    assert line_hash(**cells) == plain_hash(b"T", fields)
    assert (
        b"\x01T" + "".join(f"{len(field.encode())}:{field}" for field in fields).encode()
        == b"\x01T7:C5363656:85123A11:WHITE CAF\xc3\x891:66:2.550019:2010-12-01 08:26:005:178504:EIRE6:1.5000"
    )


def test_the_vector_of_the_docs() -> None:
    assert line_hash().hex() == "ee2b44b913755de9a4b09910d0773d38"
    fields = ["536365", "85123A", "WHITE HANGING HEART", "6", "2.5500", "2010-12-01 08:26:00", "17850"]
    assert plain_hash(b"T", [*fields, "United Kingdom", None]) == line_hash()


def test_missing_values_of_a_typed_line_are_tildes() -> None:
    found = line_hash(description=" ", customer_id="guest", discount_amount="")
    fields = ["536365", "85123A", None, "6", "2.5500", "2010-12-01 08:26:00", None, "United Kingdom", None]
    assert found == plain_hash(b"T", fields)
    assert line_hash(description="~") != line_hash(description="")


def test_an_unknown_country_is_hashed_by_its_upper_case_name() -> None:
    fields = ["536365", "85123A", GOOD["description"], "6", "2.5500", "2010-12-01 08:26:00", "17850"]
    assert line_hash(country=" new  Atlantis") == plain_hash(b"T", [*fields, "NEW ATLANTIS", None])
    assert line_hash(country="") == plain_hash(b"T", [*fields, "", None])


def test_a_line_that_does_not_parse_is_hashed_with_its_cells_where_values_are_missing() -> None:
    found = line_hash(quantity=" six ", unit_price="2.55", customer_id=" ", invoice_date="13/13/2010")
    fields = ["536365", "85123A", GOOD["description"], "six", "2.5500", "13/13/2010", "", "United Kingdom", ""]
    assert found == plain_hash(b"R", fields)


SPELLINGS = {
    "invoice_no": ["536365", " 536365 "],
    "stock_code": ["85123A", "85123a", " 85123A "],
    "description": ["WHITE HANGING HEART", " WHITE  HANGING\tHEART"],
    "quantity": ["6", "6.0", "+6", "06"],
    "invoice_date": ["2010-12-01 08:26:00", "2010-12-01 08:26", "12/1/2010 8:26", "2010-12-01T08:26:00"],
    "unit_price": ["2.55", "2.550", "2.5500", "255e-2", "02.55"],
    "customer_id": ["17850", "17850.0", "17850 "],
    "country": ["United Kingdom", "UNITED KINGDOM", " united  kingdom"],
    "discount_amount": ["", " "],
}


@given(st.fixed_dictionaries({name: st.sampled_from(cells) for name, cells in SPELLINGS.items()}))
@settings(max_examples=100, deadline=None)
def test_spellings_of_a_line_are_one_line(cells: dict[str, str | None]) -> None:
    assert line_hash(**cells) == line_hash()


@pytest.mark.parametrize(
    ("name", "other"),
    [("invoice_no", "536366"), ("stock_code", "85123B"), ("description", "white hanging heart"), ("quantity", "7"),
     ("invoice_date", "2010-12-01 08:26:01"), ("unit_price", "2.5501"), ("customer_id", "17851"),
     ("country", "France"), ("discount_amount", "0")],
)  # fmt: skip
def test_every_business_value_counts(name: str, other: str) -> None:
    assert line_hash(**{name: other}) != line_hash()


def test_values_do_not_run_into_each_other() -> None:
    assert line_hash(invoice_no="1", stock_code="23") != line_hash(invoice_no="12", stock_code="3")
    assert line_hash(quantity="x", stock_code="") != line_hash(quantity="", stock_code="X")


@given(st.binary(min_size=16, max_size=16), st.integers(1, 10**6))
def test_the_occurrence_is_added_to_the_lower_half(digest: bytes, occurrence: int) -> None:
    found = line_ids(pl.Series([digest]), pl.Series([occurrence]))[0]
    lower = (int.from_bytes(digest[8:]) + occurrence - 1) % 2**64
    assert found == digest[:8] + lower.to_bytes(8)
    assert sale_keys(pl.Series([found]))[0] == lower % 2**63


def test_the_lower_half_wraps_round() -> None:
    digest = b"\x07" * 8 + b"\xff" * 8
    assert line_ids(pl.Series([digest]), pl.Series([2]))[0] == b"\x07" * 8 + b"\x00" * 8


@given(st.lists(st.binary(min_size=16, max_size=16), max_size=50))
def test_the_hash_of_a_set_is_the_sum_of_its_members(hashes: list[bytes]) -> None:
    expected = sum(int.from_bytes(digest) for digest in hashes) % 2**128
    assert hash_total(pl.Series(hashes, dtype=pl.Binary)) == expected
    assert hash_total(pl.Series(hashes[::-1], dtype=pl.Binary)) == expected


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (pl.Series([-6, None], dtype=pl.Int64), ["-6", None]),
        (pl.Series([Decimal("2.55"), Decimal(0)], dtype=pl.Decimal(12, 4)), ["2.5500", "0.0000"]),
        (pl.Series([Decimal("0.9")], dtype=pl.Decimal(3, 2)), ["0.90"]),
        (pl.Series([datetime(2010, 12, 1, 8, 5)], dtype=pl.Datetime("us")), ["2010-12-01 08:05:00"]),
        (pl.Series([date(1, 1, 1), date(9999, 12, 31)]), ["0001-01-01", "9999-12-31"]),
        (pl.Series([True, False]), ["true", "false"]),
        (pl.Series([b"\x00\xff"]), ["00ff"]),
        (pl.Series([["guest", "é"], [], None], dtype=pl.List(pl.String)), ["5:guest2:é", "", None]),
    ],
)
def test_every_type_has_one_text(values: pl.Series, texts: list[str | None]) -> None:
    assert text_of(values).to_list() == texts
    assert field_of(values).to_list() == ["~" if text is None else f"{len(text.encode())}:{text}" for text in texts]


@given(st.lists(st.tuples(st.none() | st.text(max_size=4), st.none() | st.text(max_size=4)), max_size=9))
def test_rows_of_fields_are_hashed_as_plain_python_does(rows: list[tuple[str | None, str | None]]) -> None:
    columns = [pl.Series([row[place] for row in rows], dtype=pl.String) for place in (0, 1)]
    found = hash_fields([field_of(column) for column in columns], b"\x01X").to_list()
    assert found == [plain_hash(b"X", row) for row in rows]
    assert len(set(found)) == len(set(rows))
