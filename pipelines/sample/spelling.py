"""Writes lines as CSV, in the spelling of one system or another; knows neither files nor figures.

In another spelling every good line is the same sale: dates month first, customers as numbers with a point, blanks in
descriptions, a nought behind prices, odd codes odd in another way. Faulty lines keep their cells, as what cannot be
read can only be compared as text.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from pipelines.sample import cells
from pipelines.sample.catalogue import FIRST_CUSTOMER, Catalogue
from pipelines.sample.drawn import Drawn
from pipelines.sample.faults import DEAD, NONE, Faults
from pipelines.sample.lines import GUEST, SERIES_LETTERS, Invoices, Lines
from pipelines.sample.plan import Ints


@dataclass(frozen=True)
class Spelling:
    """How a system writes what it delivers.

    Attributes:
        header: Column names.
        time: Format of a date with its time.
        customer_end: Behind a customer's number.
        differs: Whether codes, descriptions and prices are written in the other way.
    """

    header: str
    time: str
    customer_end: str = ""
    differs: bool = False


TILL = Spelling(
    "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country", "%Y-%m-%d %H:%M:%S"
)
OFFICE = Spelling(
    "\N{ZERO WIDTH NO-BREAK SPACE}Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country",
    "%-m/%-d/%Y %-H:%M",
    ".0",
    differs=True,
)
"""With a byte order mark, as Excel exports it."""
SAME_AGAIN = "invoice_no,stock_code,description,quantity,invoice_date,unit_price,customer_id,country"
"""Another header alone: a file of the same bytes would be skipped, not merged."""


def spell_lines(catalogue: Catalogue, drawn: Drawn, spelling: Spelling) -> pl.Series:
    """Write lines.

    Args:
        catalogue: The tables.
        drawn: The file.
        spelling: How to write them.

    Returns:
        One text per line, without its end; it may have line breaks inside quotes.
    """
    invoices, lines, faults = drawn.invoices, drawn.lines, drawn.faults
    days = [plan.day for plan in drawn.days]
    columns = {
        "invoice_no": _override(_numbers(invoices).gather(lines.invoice), faults, "missing_invoice", ("", " ")),
        "stock_code": _codes(catalogue, lines, spelling),
        "description": _descriptions(catalogue, spelling).gather(lines.description),
        "quantity": _override(pl.Series(lines.quantity).cast(pl.String), faults, "bad_quantity", cells.BAD_QUANTITIES),
        "invoice_date": _override(
            _times(days, invoices, spelling).gather(lines.invoice), faults, "bad_date", cells.BAD_DATES
        ),
        "unit_price": _prices(spelling).gather(lines.price),
        "customer_id": _customers(invoices, spelling).gather(lines.invoice),
        "country": pl.Series([*cells.COUNTRIES, *cells.UNKNOWN_COUNTRIES]).gather(lines.country),
    }
    table = pl.DataFrame([column.alias(name) for name, column in columns.items()])
    text = table.select(pl.concat_str(pl.all(), separator=",")).to_series()
    return _break(text, table, faults) if spelling == TILL else text


def spell_again(till: pl.Series, office: pl.Series, faults: Faults) -> pl.Series:
    """Take good lines in the other spelling and faulty ones as they were.

    Args:
        till: Lines as first delivered.
        office: The same lines in the other spelling.
        faults: What is wrong with them.

    Returns:
        The lines of a second delivery in another spelling.
    """
    return office.zip_with(pl.Series(faults.kind == NONE), till)


def _override(column: pl.Series, faults: Faults, kind: str, texts: tuple[str, ...]) -> pl.Series:
    places = faults.places(kind)
    if len(places) == 0:
        return column
    return column.scatter(places, pl.Series(texts).gather(faults.choice[places] % len(texts)))


def _numbers(invoices: Invoices) -> pl.Series:
    letters = pl.Series(SERIES_LETTERS).gather(invoices.series)
    return letters + pl.Series(invoices.number).cast(pl.String)


def _codes(catalogue: Catalogue, lines: Lines, spelling: Spelling) -> pl.Series:
    """Write an odd code in lower case, in the other spelling with a blank: odd both times, so both are warned of."""
    odd = [f"{code} " if spelling.differs else code.lower() for code in catalogue.codes]
    return pl.Series([*catalogue.codes, *odd]).gather(lines.code + lines.lower * len(catalogue.codes))


def _descriptions(catalogue: Catalogue, spelling: Spelling) -> pl.Series:
    """Write descriptions, in quotes where CSV asks for it."""
    text = pl.col("text").str.replace_all(" ", "  ") if spelling.differs else pl.col("text")
    quoted = pl.concat_str(pl.lit('"'), text.str.replace_all('"', '""'), pl.lit('"'))
    cell = pl.when(text.str.contains('[,"\n]')).then(quoted).otherwise(text)
    return pl.DataFrame({"text": catalogue.descriptions}).select(cell).to_series()


def _times(days: list[date], invoices: Invoices, spelling: Spelling) -> pl.Series:
    midnights = pl.Series(days, dtype=pl.Datetime("us")).gather(invoices.day)
    return (midnights + pl.Series(invoices.minute * 60_000_000).cast(pl.Duration("us"))).dt.to_string(spelling.time)


def _prices(spelling: Spelling) -> pl.Series:
    return pl.Series([f"{text}0" if spelling.differs and "." in text else text for text in cells.PRICE_TEXTS])


def _customers(invoices: Invoices, spelling: Spelling) -> pl.Series:
    numbers = pl.Series(invoices.customer + FIRST_CUSTOMER).cast(pl.String) + spelling.customer_end
    guests: Ints = np.flatnonzero(invoices.customer == GUEST)
    return numbers.scatter(guests, "") if len(guests) else numbers


def _break(text: pl.Series, table: pl.DataFrame, faults: Faults) -> pl.Series:
    """Cut some lines short and make some too long."""
    short, long = (faults.places(kind) for kind in DEAD)
    four_cells = table.select(
        pl.concat_str(pl.col("invoice_no", "stock_code"), pl.lit(""), pl.col("quantity"), separator=",")
    ).to_series()
    for places, broken in ((short, four_cells), (long, text + ",x,y")):
        if len(places):
            text = text.scatter(places, broken.gather(places))
    return text
