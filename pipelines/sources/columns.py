"""Recognises columns by name, whatever case, blanks and punctuation; the built-in spellings and a settings file's."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from cluster.errors import ConfigurationError, DataError
from warehouse_sql.tables.bronze import BRONZE_COLUMNS, REQUIRED_SOURCE_COLUMNS, SOURCE_COLUMNS

SPELLINGS: dict[str, tuple[str, ...]] = {
    "invoice_no": ("InvoiceNo", "Invoice"),
    "stock_code": ("StockCode",),
    "description": ("Description",),
    "quantity": ("Quantity",),
    "invoice_date": ("InvoiceDate",),
    "unit_price": ("UnitPrice", "Price"),
    "customer_id": ("CustomerID", "Customer ID"),
    "country": ("Country",),
    "discount_amount": ("DiscountAmount", "Discount"),
}
"""Bronze column → the spellings of both editions of UCI Online Retail; snake_case is the same after folding."""


def fold(name: str) -> str:
    """Give a column name without case, blanks and punctuation."""
    return re.sub(r"[^\w]|_", "", name.casefold())


def load_aliases(path: Path | None) -> dict[str, str]:
    """Give the folded spelling of every known column.

    Args:
        path: TOML file with a table `[columns]`: bronze column = list of spellings; None for the built-in ones alone.

    Returns:
        Folded spelling → bronze column.

    Raises:
        ConfigurationError: The file is missing, is not such TOML, names an unknown column or claims a spelling twice.
    """
    spellings = {column: list(names) for column, names in SPELLINGS.items()}
    for column, names in _read_aliases(path).items():
        if column not in SPELLINGS:
            raise ConfigurationError(
                f"The alias file names an unknown column {column!r}",
                where=str(path),
                remedy=f"Use {', '.join(SPELLINGS)}.",
            )
        spellings[column] += names
    aliases: dict[str, str] = {}
    for column, names in spellings.items():
        for name in (column, *names):
            if aliases.setdefault(fold(name), column) != column:
                raise ConfigurationError(
                    f"The spelling {name!r} stands for two columns", where=str(path),
                    why=f"{aliases[fold(name)]} and {column}", remedy="Leave it to one of them.",
                )  # fmt: skip
    return aliases


def _read_aliases(path: Path | None) -> dict[str, list[str]]:
    if path is None:
        return {}
    try:
        columns = tomllib.loads(path.read_text(encoding="utf-8")).get("columns", {})
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            "The file of column aliases cannot be read", where=str(path), why=str(error),
            remedy="Correct RETAIL_COLUMN_ALIASES or the file.",
        ) from error  # fmt: skip
    if not isinstance(columns, dict) or not all(map(_is_spellings, columns.values())):
        raise ConfigurationError(
            "The alias file has the wrong form",
            where=str(path),
            remedy='Write for instance: [columns] country = ["Land"]',
        )
    return columns


def _is_spellings(names: object) -> bool:
    return isinstance(names, list) and all(isinstance(name, str) and fold(name) for name in names)


def map_columns(header: Sequence[str], aliases: Mapping[str, str], where: str) -> list[str]:
    """Give the bronze column of each header cell; a column that is not known keeps its name in snake_case.

    Args:
        header: Cells of the header.
        aliases: Folded spelling → bronze column.
        where: The file, for errors.

    Returns:
        One distinct name per cell.

    Raises:
        DataError: A required column is missing, or two cells name the same one.
    """
    names: list[str] = []
    for place, cell in enumerate(header):
        known = aliases.get(fold(cell))
        if known and known in names:
            twin = header[names.index(known)]
            raise DataError(
                f"Two columns are {known}",
                where=where,
                why=f"{twin!r} and {cell!r}",
                remedy="Rename or drop one of them.",
            )
        names.append(known or _free_name(cell, place, names))
    missing = [column for column in REQUIRED_SOURCE_COLUMNS if column not in names]
    if missing:
        raise DataError(
            f"Required columns are missing: {', '.join(missing)}",
            where=where,
            why=_why_missing(header),
            remedy="Deliver it separated by commas."
            if _other_separator(header)
            else _how_to_name(missing, [cell for cell in header if fold(cell) not in aliases]),
        )
    return names


def _free_name(cell: str, place: int, taken: Sequence[str]) -> str:
    name = re.sub(r"\W+", "_", cell.strip().casefold()).strip("_") or f"column_{place + 1}"
    if name in SOURCE_COLUMNS or name in BRONZE_COLUMNS:
        name = f"source_{name}"
    number, free = 2, name
    while free in taken:
        free, number = f"{name}_{number}", number + 1
    return free


def _why_missing(header: Sequence[str]) -> str:
    shown = ", ".join(repr(cell) for cell in header[:12])
    other = _other_separator(header)
    return f"the header is {shown}" + (f"; its separator looks like {other!r}, not a comma" if other else "")


def _other_separator(header: Sequence[str]) -> str | None:
    return next((mark for mark in (";", "\t", "|") if len(header) == 1 and mark in header[0]), None)


def _how_to_name(missing: Sequence[str], unknown: Sequence[str]) -> str:
    folded = {fold(cell): cell for cell in unknown}
    near = get_close_matches(fold(missing[0]), folded, n=1)
    hint = f" If {folded[near[0]]!r} is {missing[0]}, add:" if near else " For instance:"
    example = folded[near[0]] if near else "NAME IN THE FILE"
    naming = f'[columns] {missing[0]} = ["{example}"]'
    return f"Rename the columns, or name them in the file RETAIL_COLUMN_ALIASES.{hint} {naming}"
