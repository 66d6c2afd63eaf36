"""Reads the cells of sales lines as typed values; judges nothing and knows no file.

Each column is read once per distinct cell and spread back, which is what makes exact Decimal parsing affordable.
"""

import re
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

import polars as pl

from cluster.settings import DateOrder
from pipelines.countries import country_lookup
from pipelines.identity import IDENTITY_VERSION, NULL, RAW, TYPED, TYPED_FIELDS, field_of, hash_fields
from warehouse_sql.tables.bronze import SOURCE_COLUMNS
from warehouse_sql.tables.gold import GUEST_ID

UNKNOWN_COUNTRY = "Unspecified"
MONEY = pl.Decimal(38, 4)
FOUR_PLACES = Decimal("0.0001")
NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
LARGEST_MONEY = Decimal(10) ** 14
"""Numbers from here on are not read: their product with a quantity could leave 38 digits."""
LARGEST_AMOUNT = Decimal(10) ** 18
"""Amounts from here on count as unread: sums of them would leave the 28 digits of a Decimal."""
QUANTITY = r"^[+-]?[0-9]{1,15}(\.0*)?$"
EARLIEST_YEAR, LATEST_YEAR = 1900, 2999

CLOCK = r"(?:[ T]([0-9]{1,2}):([0-5][0-9])(?::([0-5][0-9])"
ISO_TIME = r"^([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})" + CLOCK + r"(?:\.[0-9]*)?)?)?$"
SLASH_TIME = r"^([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})" + CLOCK + r")?)?$"

SOURCE_OF = {"invoice_ts": "invoice_date"}
"""Typed value → source column, where the names differ."""

Read = Callable[[pl.Series], pl.DataFrame]


def typed_lines(cells: pl.DataFrame, date_order: DateOrder) -> pl.DataFrame:
    """Read the cells of sales lines.

    Args:
        cells: Text columns `SOURCE_COLUMNS`, one row per line; an absent column or cell counts as an empty one.
        date_order: How 12/1/2010 is read.

    Returns:
        One row per line, same order: invoice_no, stock_code, description (text; empty invoice and code are null),
        quantity (Int64), invoice_ts (Datetime), unit_price, discount_amount, amount (Decimal(38, 4); null from
        `LARGEST_AMOUNT` on), customer_id (null for guests), country; Booleans code_changed, price_rounded,
        discount_unread, country_known, parses, and is_slash_date, only_day_first and only_month_first (the date fits
        that order alone); line_hash (16 bytes).
    """
    columns = {
        name: cells[name].fill_null("") if name in cells.columns else pl.repeat("", cells.height, eager=True)
        for name in SOURCE_COLUMNS
    }
    reads: dict[str, Read] = {
        "invoice_no": lambda distinct: _named(invoice_no=_upper(distinct)),
        "stock_code": _read_codes,
        "description": lambda distinct: _named(description=_null_if_empty(_single_blanks(distinct))),
        "quantity": _read_quantities,
        "invoice_date": lambda distinct: _read_times(distinct, date_order),
        "unit_price": lambda distinct: _read_money(distinct, "unit_price", "price_rounded"),
        "customer_id": _read_customers,
        "country": _read_countries,
        "discount_amount": _read_discounts,
    }
    parts = [spread(columns[name], _with_fields(read)) for name, read in reads.items()]
    amount = pl.col("quantity").cast(pl.Decimal(38, 0)) * pl.col("unit_price")
    lines = pl.concat(parts, how="horizontal").with_columns(
        amount=pl.when(amount.abs() < LARGEST_AMOUNT).then(amount),
        parses=pl.all_horizontal(
            pl.col("invoice_no", "stock_code", "quantity", "invoice_ts", "unit_price").is_not_null()
        ),
    )
    return lines.with_columns(line_hash=_line_hashes(lines, columns)).drop(f"field_{name}" for name in TYPED_FIELDS)


def spread(column: pl.Series, read: Read) -> pl.DataFrame:
    """Read each distinct value of a column once.

    Args:
        column: Any text column.
        read: Distinct values → a frame with one row each.

    Returns:
        One row per value of `column`, same order; nulls give rows of nulls.
    """
    encoded = column.to_arrow(compat_level=pl.CompatLevel.oldest()).dictionary_encode()
    codes = pl.Series(encoded.indices, dtype=pl.UInt32)
    distinct = pl.Series("distinct", encoded.dictionary, dtype=pl.String)
    return read(distinct).select(pl.all().gather(codes))


def _with_fields(read: Read) -> Read:
    """Add `field_<name>`, the hash field of each business value, while values are still distinct."""

    def read_with_fields(distinct: pl.Series) -> pl.DataFrame:
        frame = read(distinct)
        hashed = frame["country_identity"].alias("country") if "country_identity" in frame.columns else None
        frame = frame.drop("country_identity", strict=False)
        fields = [
            field_of(hashed if hashed is not None and name == "country" else frame[name]).alias(f"field_{name}")
            for name in TYPED_FIELDS
            if name in frame.columns
        ]
        return frame.with_columns(fields)

    return read_with_fields


def _line_hashes(lines: pl.DataFrame, columns: dict[str, pl.Series]) -> pl.Series:
    """Hash the typed values; in a line that does not parse, the trimmed cell stands for each value that is missing."""
    typed = [lines[f"field_{name}"].fill_null(NULL) for name in TYPED_FIELDS]
    hashes = hash_fields(typed, IDENTITY_VERSION + TYPED)
    unread = (~lines["parses"]).arg_true()
    if len(unread) == 0:
        return hashes
    mixed = []
    for name, values in zip(TYPED_FIELDS, typed, strict=True):
        cells = field_of(columns[SOURCE_OF.get(name, name)].gather(unread).str.strip_chars())
        read = values.gather(unread)
        mixed.append(read.zip_with(read != NULL, cells))
    return hashes.scatter(unread, hash_fields(mixed, IDENTITY_VERSION + RAW))


def _named(**columns: pl.Series) -> pl.DataFrame:
    return pl.DataFrame([column.alias(name) for name, column in columns.items()])


def _null_if_empty(text: pl.Series) -> pl.Series:
    return text.set(text == "", None)


def _single_blanks(text: pl.Series) -> pl.Series:
    return text.str.replace_all(r"\s+", " ").str.strip_chars()


def _upper(text: pl.Series) -> pl.Series:
    return _null_if_empty(text.str.strip_chars().str.to_uppercase())


def _read_codes(distinct: pl.Series) -> pl.DataFrame:
    code = _null_if_empty(_single_blanks(distinct).str.to_uppercase())
    return _named(stock_code=code, code_changed=(code != distinct).fill_null(value=False))


def _read_quantities(distinct: pl.Series) -> pl.DataFrame:
    text = distinct.str.strip_chars()
    whole = text.set(~text.str.contains(QUANTITY), None).str.extract(r"^\+?(-?[0-9]+)")
    return _named(quantity=whole.cast(pl.Int64))


def _read_customers(distinct: pl.Series) -> pl.DataFrame:
    customer = distinct.str.strip_chars().str.replace(r"^([0-9]+)\.0+$", "$1")
    return _named(customer_id=customer.set((customer == "") | (customer.str.to_uppercase() == GUEST_ID), None))


def _read_countries(distinct: pl.Series) -> pl.DataFrame:
    name = _single_blanks(distinct)
    lookup = country_lookup()
    known = name.str.to_lowercase().replace_strict(
        lookup["spelling"], lookup["country"], default=None, return_dtype=pl.String
    )
    return _named(
        country=known.fill_null(UNKNOWN_COUNTRY),
        country_known=known.is_not_null(),
        country_identity=known.zip_with(known.is_not_null(), name.str.to_uppercase()),
    )


def _read_money(distinct: pl.Series, value_name: str, rounded_name: str) -> pl.DataFrame:
    read = [read_money(text) for text in distinct.str.strip_chars().to_list()]
    values = pl.Series(value_name, [value for value, _ in read], dtype=MONEY)
    return _named(**{value_name: values, rounded_name: pl.Series([rounded for _, rounded in read], dtype=pl.Boolean)})


def _read_discounts(distinct: pl.Series) -> pl.DataFrame:
    frame = _read_money(distinct, "discount_amount", "rounded").drop("rounded")
    beyond = frame["discount_amount"].abs() >= Decimal(10) ** 10
    discount = frame["discount_amount"].set(beyond.fill_null(value=False), None)
    unread = discount.is_null() & (distinct.str.strip_chars() != "")
    return _named(discount_amount=discount, discount_unread=unread)


def read_money(text: str) -> tuple[Decimal | None, bool]:
    """Read a price or amount exactly.

    Args:
        text: A cell without blanks around it.

    Returns:
        The number rounded half to even to 4 decimals, None where the cell is no number; and whether digits were lost.
    """
    if not NUMBER.fullmatch(text):
        return None, False
    try:
        exact = Decimal(text)
        rounded = exact.quantize(FOUR_PLACES, ROUND_HALF_EVEN)
    except InvalidOperation:
        return None, False
    return (rounded, rounded != exact) if abs(rounded) < LARGEST_MONEY else (None, False)


def _read_times(distinct: pl.Series, date_order: DateOrder) -> pl.DataFrame:
    text = distinct.str.strip_chars().to_frame("text")
    parts = text.select(
        iso=pl.col("text").str.extract_groups(ISO_TIME), slash=pl.col("text").str.extract_groups(SLASH_TIME)
    )
    iso, slash = pl.col("iso").struct, pl.col("slash").struct
    return parts.select(
        "slash",
        iso=_stamp(iso.field("1"), iso.field("2"), iso.field("3"), iso),
        month_first=_stamp(slash.field("3"), slash.field("1"), slash.field("2"), slash),
        day_first=_stamp(slash.field("3"), slash.field("2"), slash.field("1"), slash),
    ).select(
        invoice_ts=pl.coalesce("iso", date_order),
        only_day_first=pl.col("day_first").is_not_null() & pl.col("month_first").is_null(),
        only_month_first=pl.col("month_first").is_not_null() & pl.col("day_first").is_null(),
        is_slash_date=slash.field("1").is_not_null(),
    )


def _stamp(year: pl.Expr, month: pl.Expr, day: pl.Expr, groups: "pl.expr.struct.ExprStructNameSpace") -> pl.Expr:
    """Put a time together; one that does not exist or has an implausible year is null, a missing clock midnight."""
    clock = [groups.field(name).fill_null("0") for name in ("4", "5", "6")]
    text = pl.concat_str(year, month, day, *clock, separator=" ")
    stamp = text.str.to_datetime("%Y %m %d %H %M %S", time_unit="us", strict=False)
    return pl.when(stamp.dt.year().is_between(EARLIEST_YEAR, LATEST_YEAR)).then(stamp)
