"""The oracle: the figures that a correct run must reach, counted from what was drawn, never from the text or by a rule.

Money is whole 1/10000 throughout. Each file gives figures, the sample's are their sum; how often a day is delivered is
known here, so a second delivery adds to what is merged and to nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.sample import cells
from pipelines.sample.catalogue import Catalogue
from pipelines.sample.drawn import Drawn
from pipelines.sample.faults import DEAD, ERRORS, NONE, fault_number
from pipelines.sample.lines import ADJUSTED, CANCELLED, GUEST, PLAIN, Lines
from pipelines.sample.plan import Bools, DayPlan, Ints

LINE_TYPES = ("adjustment", "discount", "fee", "write_off", "return", "sale")
WARNINGS = (
    "guest",
    "missing_description",
    "normalised_code",
    "repeated_line",
    "rounded_price",
    "unknown_country",
    "zero_price",
)


DISTINCT = ("customers", "products")
"""Counted over all files together: a bit each."""


@dataclass(frozen=True)
class Known:
    """What is known of each line of a file.

    Attributes:
        day: Place among the days of the file.
        again: Whether its day is delivered again.
        dead: Whether it cannot be split.
        accepted: Whether no rule refuses it.
        amount: Quantity × price in 1/10000; 0 where either is unreadable.
        series: Of its invoice: PLAIN, CANCELLED or ADJUSTED.
        customer: Place in the catalogue, GUEST for none.
        price: Unit price in 1/10000.
    """

    day: Ints
    again: Bools
    dead: Bools
    accepted: Bools
    amount: Ints
    series: Ints
    customer: Ints
    price: Ints


def figures_of(catalogue: Catalogue, drawn: Drawn) -> dict[str, Any]:
    """Count the lines of a file and of the second deliveries of its days.

    Args:
        catalogue: The tables.
        drawn: The file.

    Returns:
        Whole numbers and dictionaries of them, money in 1/10000; `customers` and `products` as bit maps.
    """
    lines, faults, known = drawn.lines, drawn.faults, _know(drawn)
    accepted, rejected = known.accepted, ~known.accepted & ~known.dead
    merged = known.again & ~known.dead
    sale = accepted & (known.series != CANCELLED) & (lines.quantity > 0) & (known.price > 0)
    return {
        "lines": int(len(known.day) + known.again.sum()),
        "dead_letters": {kind: _delivered(faults.kind == fault_number(kind), known) for kind in DEAD},
        "accepted": int(accepted.sum()),
        "rejected": int(rejected.sum()),
        "merged": int(merged.sum()),
        "rejected_by_rule": {kind: int((faults.kind == fault_number(kind)).sum()) for kind in ERRORS},
        "warnings": _warnings(catalogue, lines, known),
        "money": {
            "accepted": int(known.amount[accepted].sum()),
            "rejected": int(known.amount[rejected].sum()),
            "merged": int(known.amount[merged].sum()),
        },
        "net_by_month": _net_by_month(drawn.days, known),
        "sale_lines": int(sale.sum()),
        "sale_revenue": int(known.amount[sale].sum()),
        "guest_lines": int((accepted & (known.customer == GUEST)).sum()),
        "invoices": len(np.unique(lines.invoice[accepted])),
        "line_types": _line_types(catalogue, lines, known),
        "customers": _bits(known.customer[accepted & (known.customer != GUEST)], len(catalogue.country)),
        "products": _bits(lines.code[accepted], len(catalogue.codes)),
    }


def _delivered(chosen: Bools, known: Known) -> int:
    return int(chosen.sum() + (chosen & known.again).sum())


def _know(drawn: Drawn) -> Known:
    invoices, lines, faults = drawn.invoices, drawn.lines, drawn.faults
    values = cells.price_values()
    dead = np.isin(faults.kind, [fault_number(kind) for kind in DEAD])
    countable = (faults.kind != fault_number("bad_quantity")) & ~dead
    day = invoices.day[lines.invoice]
    return Known(
        day=day,
        again=np.array([bool(plan.again) for plan in drawn.days])[day],
        dead=dead,
        accepted=faults.kind == NONE,
        amount=np.where(countable, lines.quantity * values[lines.price], 0),
        series=invoices.series[lines.invoice],
        customer=invoices.customer[lines.invoice],
        price=values[lines.price],
    )


def _warnings(catalogue: Catalogue, lines: Lines, known: Known) -> dict[str, int]:
    within = (lines.price >= cells.ROUNDED_PRICE) & (lines.price < cells.ROUNDED_PRICE + len(cells.ROUNDED_PRICES))
    holds = {
        "guest": known.customer == GUEST,
        "missing_description": lines.description == catalogue.no_description,
        "normalised_code": lines.lower,
        "repeated_line": _repeated(catalogue, lines, known),
        "rounded_price": within,
        "unknown_country": lines.country >= len(cells.COUNTRIES),
        "zero_price": known.price == 0,
    }
    return {rule: int((holds[rule] & known.accepted).sum()) for rule in WARNINGS}


def _repeated(catalogue: Catalogue, lines: Lines, known: Known) -> Bools:
    """Find accepted lines that equal an earlier one: time and customer go with the invoice, so five columns decide."""
    places = np.flatnonzero(known.accepted)
    described = catalogue.same_description[lines.description]
    columns = (known.price, lines.quantity, lines.country, described, lines.code, lines.invoice)
    chosen = [column[places] for column in columns]
    order = np.lexsort(chosen)
    equal = np.ones(max(len(order) - 1, 0), dtype=np.bool_)
    for column in chosen:
        equal &= np.diff(column[order]) == 0
    repeated = np.zeros(len(lines.code), dtype=np.bool_)
    repeated[places[order[1:][equal]]] = True
    return repeated


def _net_by_month(days: Sequence[DayPlan], known: Known) -> dict[str, int]:
    net: dict[str, int] = {}
    for place, plan in enumerate(days):
        month = plan.day.strftime("%Y-%m")
        net[month] = net.get(month, 0) + int(known.amount[known.accepted & (known.day == place)].sum())
    return net


def _line_types(catalogue: Catalogue, lines: Lines, known: Known) -> dict[str, int]:
    """Count accepted lines by kind, in the order in which the kinds take precedence."""
    fee = (lines.code >= catalogue.fee_code) & (lines.code < catalogue.discount_code)
    back = lines.quantity < 0
    tests = (
        known.series == ADJUSTED,
        lines.code == catalogue.discount_code,
        fee,
        back & (known.price == 0),
        (known.series == CANCELLED) | back,
        known.series == PLAIN,
    )
    chosen = np.select(tests, range(len(LINE_TYPES)))
    counts = np.bincount(chosen[known.accepted], minlength=len(LINE_TYPES))
    return {name: int(count) for name, count in zip(LINE_TYPES, counts, strict=True)}


def _bits(places: Ints, size: int) -> int:
    present = np.zeros(size, dtype=np.bool_)
    present[places] = True
    return int.from_bytes(np.packbits(present).tobytes())


def add_figures(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Sum the figures of files.

    Args:
        parts: What `figures_of` gave.

    Returns:
        The figures of the sample as JSON can hold them, money as decimal strings.
    """
    total: dict[str, Any] = {}
    for part in parts:
        for name, value in part.items():
            total[name] = _add(name, total[name], value) if name in total else value
    read = total["accepted"] + total["rejected"] + total["merged"]
    money = total["money"] | {"read": sum(total["money"].values())}
    return (
        {"lines": total["lines"], "dead_letters": total["dead_letters"], "read": read}
        | total
        | {
            "money": {name: money_text(money[name]) for name in ("read", "accepted", "rejected", "merged")},
            "net_by_month": {month: money_text(net) for month, net in sorted(total["net_by_month"].items())},
            "sale_revenue": money_text(total["sale_revenue"]),
            "customers": total["customers"].bit_count(),
            "products": total["products"].bit_count(),
        }
    )


def _add(name: str, one: Any, other: Any) -> Any:
    if name in DISTINCT:
        return one | other
    if isinstance(one, dict):
        return {name: one.get(name, 0) + other.get(name, 0) for name in one | other}
    return one + other


def money_text(ten_thousandths: int) -> str:
    """Write whole 1/10000 with four decimals."""
    whole, rest = divmod(abs(ten_thousandths), 10_000)
    return f"{'-' if ten_thousandths < 0 else ''}{whole}.{rest:04d}"
