from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.settings import DateOrder
from pipelines.typed import read_money, spread, typed_lines
from tests.unit.pipelines.bronze_cells import GOOD, cells_of


def read(name: str, cell: str | None, *columns: str, order: DateOrder = "month_first") -> Any:
    """Type a line that is good but for one cell; give one value, or a tuple of several."""
    row = typed_lines(cells_of([{name: cell}]), order).select(columns).row(0)
    return row if len(columns) > 1 else row[0]


@pytest.mark.parametrize(
    ("cell", "price", "rounded"),
    [
        ("2.55", "2.5500", False),
        ("0.123", "0.1230", False),
        ("0.1234", "0.1234", False),
        ("0.12345", "0.1234", True),
        ("0.12355", "0.1236", True),
        ("0.12346", "0.1235", True),
        ("2.55000000", "2.5500", False),
        ("0.00004", "0.0000", True),
        ("-11062.06", "-11062.0600", False),
        (" 1 ", "1.0000", False),
        ("+1", "1.0000", False),
        (".5", "0.5000", False),
        ("5.", "5.0000", False),
        ("1e3", "1000.0000", False),
        ("1.5E-2", "0.0150", False),
        ("1e-7", "0.0000", True),
        ("-0", "0.0000", False),
        ("0e999", "0.0000", False),
        ("99999999999999.9999", "99999999999999.9999", False),
        ("1.00000000000000000000000000000000000001", "1.0000", True),
    ],
)
def test_prices_are_exact_to_four_decimals(cell: str, price: str, rounded: bool) -> None:
    value, lost = read("unit_price", cell, "unit_price", "price_rounded")
    assert (value.as_tuple(), lost) == (Decimal(price).as_tuple(), rounded)


@pytest.mark.parametrize(
    "cell",
    ["", " ", "x", "1,5", "£1", "1 000", "1_000", "nan", "inf", "-", ".", "1e", "1e9999", "1e99", "--1", "0x1", "٣",
     "99999999999999.99995", "100000000000000", "1" * 60],
)  # fmt: skip
def test_what_is_no_price_or_too_large_is_not_read(cell: str) -> None:
    assert read("unit_price", cell, "unit_price", "price_rounded", "amount", "parses") == (None, False, None, False)


@given(st.decimals(-(10**13), 10**13, allow_nan=False, allow_infinity=False, places=7), st.integers(0, 7))
def test_money_is_what_decimal_arithmetic_says(number: Decimal, places: int) -> None:
    cell = f"{number:.{places}f}"
    value, lost = read_money(cell)
    exact = Decimal(cell)
    assert value == exact.quantize(Decimal("0.0001"), ROUND_HALF_EVEN)
    assert lost == (value != exact)


@pytest.mark.parametrize(
    ("cell", "quantity"),
    [
        ("6", 6),
        ("6.0", 6),
        ("6.", 6),
        ("6.000", 6),
        ("-12.0", -12),
        ("+6", 6),
        (" 6 ", 6),
        ("006", 6),
        ("0", 0),
        ("-0", 0),
        ("999999999999999", 999999999999999),
        ("1000000000000000", None),
        ("1.5", None),
        ("1.50", None),
        ("", None),
        ("six", None),
        ("1e3", None),
        ("1,000", None),
        ("6 6", None),
        ("-", None),
        ("٣", None),
        ("6\n7", None),
    ],
)
def test_quantities_are_whole_numbers_of_at_most_15_digits(cell: str, quantity: int | None) -> None:
    assert read("quantity", cell, "quantity") == quantity


@pytest.mark.parametrize(
    ("cell", "time"),
    [
        ("2010-12-01 08:26:00", "2010-12-01 08:26:00"),
        ("2010-12-01 08:26", "2010-12-01 08:26:00"),
        ("2010-12-01T08:26:59", "2010-12-01 08:26:59"),
        ("2010-12-01 08:26:59.999", "2010-12-01 08:26:59"),
        ("2010-12-1 8:26", "2010-12-01 08:26:00"),
        ("2010-12-01", "2010-12-01 00:00:00"),
        (" 2010-12-01 ", "2010-12-01 00:00:00"),
        ("2012-02-29", "2012-02-29 00:00:00"),
        ("1900-01-01", "1900-01-01 00:00:00"),
        ("2999-12-31 23:59:59", "2999-12-31 23:59:59"),
        ("1899-12-31", None),
        ("3000-01-01", None),
        ("0000-01-01", None),
        ("2011-02-29", None),
        ("2010-13-01", None),
        ("2010-00-01", None),
        ("2010-12-01 24:00", None),
        ("2010-12-01 08:60", None),
        ("2010-12-01 08:26:60", None),
        ("2010-12-01 08:26:00Z", None),
        ("2010-12-01 8", None),
        ("20101201", None),
        ("01.12.2010", None),
        ("01-12-2010 08:26", None),
        ("٢٠١٠-١٢-٠١", None),
        ("١/٢/2010", None),
        ("", None),
        ("yesterday", None),
    ],
)
@pytest.mark.parametrize("order", ["month_first", "day_first"])
def test_iso_times_are_read_alike_in_either_order(cell: str, time: str | None, order: DateOrder) -> None:
    stamp, slash = read("invoice_date", cell, "invoice_ts", "is_slash_date", order=order)
    assert (None if stamp is None else str(stamp)) == time
    assert not slash


@pytest.mark.parametrize(
    ("cell", "month_first", "day_first"),
    [
        ("12/1/2010 8:26", datetime(2010, 12, 1, 8, 26), datetime(2010, 1, 12, 8, 26)),
        ("12/1/2010 08:26:05", datetime(2010, 12, 1, 8, 26, 5), datetime(2010, 1, 12, 8, 26, 5)),
        ("01/02/2011", datetime(2011, 1, 2), datetime(2011, 2, 1)),
        ("13/1/2011", None, datetime(2011, 1, 13)),
        ("1/13/2011", datetime(2011, 1, 13), None),
        ("31/2/2011", None, None),
        ("2/30/2011", None, None),
        ("13/13/2011", None, None),
        ("0/5/2011", None, None),
        ("32/1/2011", None, None),
        ("13/1/2011 25:00", None, None),
        ("13/1/1800", None, None),
        ("1/2/11", None, None),
    ],
)
def test_dates_with_slashes_follow_the_order_and_say_which_one_they_fit(
    cell: str, month_first: datetime | None, day_first: datetime | None
) -> None:
    flags = (day_first is not None and month_first is None, month_first is not None and day_first is None)
    for order, expected in (("month_first", month_first), ("day_first", day_first)):
        columns = ("invoice_ts", "only_day_first", "only_month_first", "is_slash_date")
        stamp, *found, slash = read("invoice_date", cell, *columns, order=order)  # type: ignore[arg-type]
        assert stamp == expected
        assert tuple(found) == flags
        assert slash == (cell != "1/2/11")


@given(st.datetimes(datetime(1900, 1, 1), datetime(2999, 12, 31)), st.sampled_from(["month_first", "day_first"]))
@settings(max_examples=60, deadline=None)
def test_every_spelling_of_a_time_is_that_time(time: datetime, order: DateOrder) -> None:
    time = time.replace(microsecond=0)
    day = f"{time.month}/{time.day}" if order == "month_first" else f"{time.day}/{time.month}"
    spellings = [
        f"{time:%Y-%m-%d %H:%M:%S}".rjust(19, "0"),
        f"{time.year:04}-{time.month}-{time.day}T{time.hour}:{time.minute:02}:{time.second:02}",
        f"{day}/{time.year:04} {time.hour}:{time.minute:02}:{time.second:02}",
    ]
    lines = typed_lines(cells_of([{"invoice_date": cell} for cell in spellings]), order)
    assert lines["invoice_ts"].to_list() == [time] * 3
    assert lines["line_hash"].n_unique() == 1


@pytest.mark.parametrize(
    ("cell", "customer"),
    [("17850", "17850"), ("17850.0", "17850"), ("17850.00", "17850"), ("17850 ", "17850"), (" 17850.0 ", "17850"),
     ("", None), ("  ", None), ("GUEST", None), ("guest ", None), ("C-9.0", "C-9.0"), ("17850.5", "17850.5"),
     ("ab c", "ab c"), (None, None)],
)  # fmt: skip
def test_spellings_of_a_customer_are_one_and_none_is_a_guest(cell: str | None, customer: str | None) -> None:
    assert read("customer_id", cell, "customer_id") == customer


@pytest.mark.parametrize(
    ("cell", "code", "changed"),
    [("85123A", "85123A", False), ("85123a", "85123A", True), (" 85123A", "85123A", True), ("", None, False),
     ("bank  charges", "BANK CHARGES", True), ("BANK CHARGES", "BANK CHARGES", False), (None, None, False)],
)  # fmt: skip
def test_codes_that_differ_by_case_or_blanks_are_one(cell: str | None, code: str | None, changed: bool) -> None:
    assert read("stock_code", cell, "stock_code", "code_changed") == (code, changed)


@pytest.mark.parametrize(
    ("cell", "country", "known"),
    [("United Kingdom", "United Kingdom", True), (" united  kingdom ", "United Kingdom", True), ("EIRE", "EIRE", True),
     ("Ireland", "EIRE", True), ("DE", "Germany", True), ("Unspecified", "Unspecified", True),
     ("Atlantis", "Unspecified", False), ("", "Unspecified", False), (None, "Unspecified", False)],
)  # fmt: skip
def test_countries_have_one_name_and_unknown_ones_are_kept(cell: str | None, country: str, known: bool) -> None:
    assert read("country", cell, "country", "country_known") == (country, known)


def test_unknown_countries_are_alike_in_name_but_not_in_identity() -> None:
    lines = typed_lines(
        cells_of([{"country": name} for name in ("Atlantis", " ATLANTIS", "Lemuria", "", "Unspecified")]), "month_first"
    )
    assert set(lines["country"]) == {"Unspecified"}
    first, same, *others = lines["line_hash"].to_list()
    assert first == same
    assert len({first, *others}) == 4


@pytest.mark.parametrize(
    ("cell", "discount", "unread"),
    [("1.50", "1.5000", False), ("-1", "-1.0000", False), ("", None, False), (None, None, False), (" ", None, False),
     ("ten", None, True), ("9999999999.9999", "9999999999.9999", False), ("10000000000", None, True)],
)  # fmt: skip
def test_discounts_are_read_or_said_to_be_unreadable(cell: str | None, discount: str | None, unread: bool) -> None:
    value, flag = read("discount_amount", cell, "discount_amount", "discount_unread")
    assert (None if value is None else str(value), flag) == (discount, unread)


def test_descriptions_have_single_blanks_and_none_is_null() -> None:
    assert read("description", "  RED\t\u00a0 HEART  ", "description") == "RED HEART"
    assert read("description", " ", "description") is None
    assert read("description", "red", "description") == "red"


@pytest.mark.parametrize(
    ("quantity", "price", "amount"),
    [("3", "0.1234", "0.3702"), ("-3", "0.1234", "-0.3702"), ("999999999999999", "99999999999999.9999", None),
     ("-10000", "-99999999999999.9999", "999999999999999999.0000"), ("10001", "99999999999999.9999", None)],
)  # fmt: skip
def test_amounts_are_exact_or_too_large_to_count(quantity: str, price: str, amount: str | None) -> None:
    lines = typed_lines(cells_of([{"quantity": quantity, "unit_price": price}]), "month_first")
    assert [None if value is None else str(value) for value in lines["amount"]] == [amount]
    assert lines["parses"].to_list() == [True]


def test_an_absent_column_is_as_good_as_empty_cells() -> None:
    for bad in ({}, {"quantity": "x"}):
        cells = cells_of([bad])
        without = typed_lines(cells.drop("discount_amount"), "month_first")
        assert without.rows() == typed_lines(cells, "month_first").rows()
    assert typed_lines(cells_of([{"country": None}]), "month_first")["country"][0] == "Unspecified"
    assert typed_lines(cells_of([]), "month_first").height == 0


texts = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from([*GOOD.values(), None])


@given(st.lists(st.fixed_dictionaries(dict.fromkeys(GOOD, texts)), min_size=1, max_size=5))
@settings(max_examples=150, deadline=None)
def test_no_cell_whatsoever_breaks_the_reading_and_lines_do_not_touch_each_other(
    lines: list[dict[str, str | None]],
) -> None:
    together = typed_lines(cells_of(lines), "month_first")
    alone = pl.concat([typed_lines(cells_of([line]), "month_first") for line in lines])
    assert together.rows() == alone.rows()


def test_spread_reads_each_distinct_value_once_and_keeps_nulls() -> None:
    seen: list[list[str]] = []

    def lengths(distinct: pl.Series) -> pl.DataFrame:
        seen.append(distinct.to_list())
        return pl.DataFrame({"length": distinct.str.len_chars()})

    found = spread(pl.Series(["a", None, "bb", "a"]), lengths)
    assert found["length"].to_list() == [1, None, 2, 1]
    assert seen == [["a", "bb"]]
