"""Makes the stated number of lines odd: faulty ones, one fault each, dead letters and lines that deserve a warning.

A fault goes to a plain sale that no return takes back, so that neither has a second fault.
"""

from dataclasses import dataclass

import numpy as np

from pipelines.sample import cells
from pipelines.sample.catalogue import Catalogue
from pipelines.sample.lines import SALE, Lines
from pipelines.sample.plan import Delivery, Ints

NONE = 0
ERRORS = (
    "missing_invoice",
    "missing_stock_code",
    "bad_quantity",
    "zero_quantity",
    "bad_date",
    "bad_price",
    "negative_price",
    "out_of_range",
)
DEAD = ("too_short", "too_long")
ODDITIES = ("unknown_country", "missing_description", "zero_price", "rounded_price")
LARGEST_QUANTITY = 1_000_000


@dataclass(frozen=True)
class Faults:
    """What is wrong with each line.

    Attributes:
        kind: Per line NONE, or 1 + place in `ERRORS + DEAD`.
        choice: Per line, which of the faulty cells of its kind it has.
    """

    kind: Ints
    choice: Ints

    def places(self, name: str) -> Ints:
        """Find the lines of a kind."""
        return np.flatnonzero(self.kind == fault_number(name))


def fault_number(name: str) -> int:
    """Give the number of a kind of fault."""
    return 1 + (ERRORS + DEAD).index(name)


def put_faults(catalogue: Catalogue, delivery: Delivery, lines: Lines, rng: np.random.Generator) -> Faults:
    """Make lines odd, in place.

    Args:
        catalogue: The tables.
        delivery: The stated counts.
        lines: Lines of the file; their codes, descriptions, quantities, prices and countries change.
        rng: The file's stream.

    Returns:
        The faults. Faults of invoice number, date and unreadable quantities stand only here: they are text.
    """
    plain = np.flatnonzero((lines.kind == SALE) & ~lines.referred & (lines.code < catalogue.goods))
    kinds = ERRORS + DEAD + ODDITIES
    counts = [delivery.stated[kind] for kind in kinds]
    chosen = np.split(rng.choice(plain, sum(counts), replace=False), np.cumsum(counts)[:-1])
    faults = Faults(np.zeros(len(lines.kind), dtype=np.int64), rng.integers(0, 1_000, len(lines.kind)))
    for kind, places in zip(kinds, chosen, strict=True):
        if kind not in ODDITIES:
            faults.kind[places] = fault_number(kind)
        _change(kind, catalogue, lines, places, faults.choice[places])
    good = plain[(faults.kind[plain] == NONE) & catalogue.has_letter[lines.code[plain]]]
    lines.lower[rng.choice(good, delivery.stated["lower_case_code"], replace=False)] = True
    return faults


def _change(kind: str, catalogue: Catalogue, lines: Lines, places: Ints, choice: Ints) -> None:
    match kind:
        case "missing_stock_code":
            lines.code[places] = catalogue.no_code
        case "zero_quantity":
            lines.quantity[places] = 0
        case "bad_price":
            lines.price[places] = cells.BAD_PRICE + choice % len(cells.BAD_PRICES)
        case "negative_price":
            lines.price[places] += cells.NEGATIVE_PRICE - cells.GOODS_PRICE
        case "out_of_range":
            _exceed(lines, places, choice)
        case "unknown_country":
            lines.country[places] = len(cells.COUNTRIES) + choice % len(cells.UNKNOWN_COUNTRIES)
        case "missing_description":
            lines.description[places] = catalogue.no_description
        case "zero_price":
            lines.price[places] = cells.ZERO_PRICE + choice % len(cells.ZERO_PRICES)
        case "rounded_price":
            lines.price[places] = cells.ROUNDED_PRICE + choice % len(cells.ROUNDED_PRICES)


def _exceed(lines: Lines, places: Ints, choice: Ints) -> None:
    """Exceed the limit of the quantity, up or down, or that of the price."""
    by_price = choice % 3 == 0
    lines.price[places[by_price]] = cells.HUGE_PRICE + choice[by_price] % len(cells.HUGE_PRICES)
    sign = np.where(choice[~by_price] % 3 == 1, 1, -1)
    lines.quantity[places[~by_price]] = sign * (LARGEST_QUANTITY + 1 + choice[~by_price])
