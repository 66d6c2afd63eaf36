"""Draws the lines of one file: sales, returns of them, write-offs, discounts, fees, adjustments; knows no text.

Everything is a place in a table of the catalogue or a whole number, so that 400,000 lines are a handful of arrays.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import numpy as np

from pipelines.sample import cells
from pipelines.sample.catalogue import WORDINGS, Catalogue, draw_from
from pipelines.sample.plan import Bools, Delivery, Ints

KINDS = ("sale", "return", "write_off", "discount", "credited_fee", "adjustment_up", "adjustment_down")
SALE, RETURN, WRITE_OFF, DISCOUNT, CREDITED_FEE, ADJUSTMENT_UP, ADJUSTMENT_DOWN = range(len(KINDS))
PLAIN, CANCELLED, ADJUSTED = range(3)
SERIES_LETTERS = ("", "C", "A")
"""In front of the numbers of plain invoices, cancellations and adjustments."""
GUEST = -1
GUEST_SHARE = 0.25
OPENS, LAST_SALE, CLOSES = 8 * 60, 19 * 60 + 29, 19 * 60 + 59
"""Minutes of the day."""

QUANTITIES = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 25, 36, 48, 72, 96, 144)
QUANTITY_ODDS = (27, 15, 7, 8, 2, 11, 4, 5, 11, 1, 2, 4, 1, 0.8, 0.7, 0.2, 0.2, 0.1)
BULK_QUANTITY = 24


@dataclass(frozen=True)
class Invoices:
    """One entry per invoice.

    Attributes:
        day: Place among the days of the file.
        minute: Minute of the day.
        series: PLAIN, CANCELLED (C…) or ADJUSTED (A…).
        customer: Place in the catalogue, GUEST for none.
        country: Place in `COUNTRIES`.
        number: Invoice number, rising with time; 0 until all are known.
    """

    day: Ints
    minute: Ints
    series: Ints
    customer: Ints
    country: Ints
    number: Ints


@dataclass(frozen=True)
class Lines:
    """One entry per line.

    Attributes:
        kind: SALE, RETURN and so on.
        invoice: Place in the invoices.
        code: Place in the catalogue's codes.
        lower: Whether the code is written in lower case.
        description: Place in the catalogue's descriptions.
        quantity: Whole number.
        price: Place in `PRICE_TEXTS`.
        country: Place in `COUNTRIES`, behind them `UNKNOWN_COUNTRIES`.
        referred: Whether a return takes this line back.
    """

    kind: Ints
    invoice: Ints
    code: Ints
    lower: Bools
    description: Ints
    quantity: Ints
    price: Ints
    country: Ints
    referred: Bools


class Goods(NamedTuple):
    """What lines say of the thing sold: places and a whole number, as in `Lines`."""

    code: Ints
    description: Ints
    quantity: Ints
    price: Ints


def draw_lines(
    catalogue: Catalogue, delivery: Delivery, progress: Sequence[float], rng: np.random.Generator
) -> tuple[Invoices, Lines]:
    """Draw the lines of a file in the order of time.

    Args:
        catalogue: The tables.
        delivery: Days, their lines, and the stated counts.
        progress: Per day of the file, the share of the sample's time that has passed.
        rng: The file's stream.

    Returns:
        Invoices and lines; invoices have numbers, lines are sorted by them.
    """
    day = np.repeat(np.arange(len(delivery.days)), [day.lines for day in delivery.days])
    kind = _kinds(len(day), delivery, rng)
    invoices, lines = _sales(catalogue, day[kind == SALE], np.asarray(progress), rng)
    _repeat_lines(lines, delivery.stated["equal_line"], rng)
    parts = [(invoices, lines)]
    parts.append(_returns(invoices, lines, day[kind == RETURN], rng))
    parts.append(_write_offs(catalogue, day[kind == WRITE_OFF], rng))
    parts.append(_discounts(catalogue, day[kind == DISCOUNT], rng))
    parts.append(_credited_fees(catalogue, day[kind == CREDITED_FEE], rng))
    parts.append(_adjustments(catalogue, day[kind == ADJUSTMENT_UP], ADJUSTMENT_UP, rng))
    parts.append(_adjustments(catalogue, day[kind == ADJUSTMENT_DOWN], ADJUSTMENT_DOWN, rng))
    return _in_order(*_joined(parts), delivery.first_invoice)


def _kinds(count: int, delivery: Delivery, rng: np.random.Generator) -> Ints:
    """Give each line a kind: the stated number of others, sales for the rest, a sale first so that all can follow."""
    others = np.repeat(np.arange(RETURN, len(KINDS)), [delivery.stated[kind] for kind in KINDS[RETURN:]])
    kinds = np.full(count, SALE)
    kinds[1 + rng.choice(count - 1, len(others), replace=False)] = others
    return kinds


def _sales(catalogue: Catalogue, day: Ints, progress: np.ndarray, rng: np.random.Generator) -> tuple[Invoices, Lines]:
    """Draw sales: invoices of log-normal length, each within one day."""
    count = len(day)
    lengths = np.clip(np.rint(rng.lognormal(2.4, 1.0, count // 4 + 16)), 1, 500)
    basket = np.searchsorted(np.cumsum(lengths), np.arange(count), side="right")
    starts = np.concatenate(([True], (np.diff(basket) != 0) | (np.diff(day) != 0)))
    invoice = np.cumsum(starts) - 1
    invoices = _sale_invoices(catalogue, day[starts], progress, rng)
    code = draw_from(catalogue.product_odds, count, rng)
    odds = np.cumsum(QUANTITY_ODDS)
    quantity = np.array(QUANTITIES, dtype=np.int64)[np.searchsorted(odds / odds[-1], rng.random(count), side="right")]
    quantity[rng.random(count) < 0.0005] *= 25
    price = cells.GOODS_PRICE + catalogue.price[code] - (quantity >= BULK_QUANTITY)
    price += invoices.customer[invoice] == GUEST
    described = code * WORDINGS + (catalogue.wording_changes[code] <= progress[day][:, None]).sum(axis=1)
    described = np.where(rng.random(count) < 0.004, code * WORDINGS + WORDINGS - 1, described)
    lines = _lines(SALE, invoices, invoice, Goods(code, described, quantity, price))
    _put_fees(catalogue, invoices, lines, rng)
    return invoices, lines


def _sale_invoices(catalogue: Catalogue, day: Ints, progress: np.ndarray, rng: np.random.Generator) -> Invoices:
    count = len(day)
    customer = draw_from(catalogue.customer_odds, count, rng)
    moved = catalogue.moves[customer] <= progress[day]
    country = np.where(moved, catalogue.next_country[customer], catalogue.country[customer])
    guest = rng.random(count) < GUEST_SHARE
    country = np.where(guest, draw_from(catalogue.country_odds, count, rng), country)
    minute = np.clip(np.rint(rng.normal(780, 130, count)), OPENS, LAST_SALE).astype(np.int64)
    return _invoices(day, minute, PLAIN, np.where(guest, GUEST, customer), country)


def _put_fees(catalogue: Catalogue, invoices: Invoices, lines: Lines, rng: np.random.Generator) -> None:
    """Turn some lines of sales invoices into charges: postage abroad, others at home."""
    abroad = lines.country != cells.UNITED_KINGDOM
    places = np.flatnonzero(rng.random(len(lines.code)) < np.where(abroad, 0.03, 0.002))
    home = rng.choice([cells.DOT, cells.CARRIAGE, cells.MANUAL, cells.BANK, cells.SAMPLES], len(places))
    lines.code[places] = catalogue.fee_code + np.where(abroad[places], cells.POST, home)
    lines.description[places] = catalogue.description_of_code(lines.code[places])
    lines.quantity[places] = rng.integers(1, 4, len(places))
    lines.price[places] = cells.FEE_PRICE + rng.integers(len(cells.FEE_PRICES) - 1, size=len(places))


def _repeat_lines(lines: Lines, count: int, rng: np.random.Generator) -> None:
    """Make lines equal to an earlier one of their invoice."""
    first = np.searchsorted(lines.invoice, lines.invoice, side="left")
    later = np.flatnonzero(first < np.arange(len(first)))
    places = rng.choice(later, min(count, len(later)), replace=False)
    sources = first[places] + (rng.random(len(places)) * (places - first[places])).astype(np.int64)
    for column in (lines.code, lines.description, lines.quantity, lines.price):
        column[places] = column[sources]


def _returns(sold: Invoices, sales: Lines, day: Ints, rng: np.random.Generator) -> tuple[Invoices, Lines]:
    """Take back sales of the same file, rather recent ones: same customer, product and price, a later minute."""
    until = np.searchsorted(sold.day[sales.invoice], day, side="right")
    original = (until * (1 - rng.random(len(day)) ** 2)).astype(np.int64).clip(max=until - 1)
    sales.referred[original] = True
    of = sales.invoice[original]
    earliest = np.where(sold.day[of] == day, sold.minute[of] + 1, OPENS)
    minute = earliest + (rng.random(len(day)) * (CLOSES + 1 - earliest)).astype(np.int64)
    invoices = _invoices(day, minute, CANCELLED, sold.customer[of], sold.country[of])
    taken = -np.ceil(sales.quantity[original] * (1 - rng.random(len(day)))).astype(np.int64)
    goods = Goods(sales.code[original], sales.description[original], taken, sales.price[original])
    return invoices, _lone_lines(RETURN, invoices, goods)


def _write_offs(catalogue: Catalogue, day: Ints, rng: np.random.Generator) -> tuple[Invoices, Lines]:
    invoices = _lone_invoices(day, PLAIN, rng)
    odd = catalogue.odd_description + rng.integers(len(cells.ODD_DESCRIPTIONS), size=len(day))
    described = np.where(rng.random(len(day)) < 0.5, odd, catalogue.no_description)
    code = draw_from(catalogue.product_odds, len(day), rng)
    quantity = -rng.integers(1, 200, len(day))
    price = np.full(len(day), cells.ZERO_PRICE)
    return invoices, _lone_lines(WRITE_OFF, invoices, Goods(code, described, quantity, price))


def _discounts(catalogue: Catalogue, day: Ints, rng: np.random.Generator) -> tuple[Invoices, Lines]:
    customer = draw_from(catalogue.customer_odds, len(day), rng)
    invoices = replace(_lone_invoices(day, CANCELLED, rng), customer=customer, country=catalogue.country[customer])
    code = np.full(len(day), catalogue.discount_code)
    quantity = -rng.choice(np.array([1, 1, 1, 2, 12, 48], dtype=np.int64), len(day))
    price = cells.FEE_PRICE + rng.integers(len(cells.FEE_PRICES) - 2, size=len(day))
    described = catalogue.description_of_code(code)
    return invoices, _lone_lines(DISCOUNT, invoices, Goods(code, described, quantity, price))


def _credited_fees(catalogue: Catalogue, day: Ints, rng: np.random.Generator) -> tuple[Invoices, Lines]:
    invoices = _lone_invoices(day, CANCELLED, rng)
    fees = [cells.AMAZON, cells.CRUK, cells.BANK, cells.SAMPLES, cells.MANUAL]
    code = catalogue.fee_code + rng.choice(np.array(fees, dtype=np.int64), len(day))
    price = cells.FEE_PRICE + rng.integers(len(cells.FEE_PRICES), size=len(day))
    described = catalogue.description_of_code(code)
    minus_one = np.full(len(day), -1)
    return invoices, _lone_lines(CREDITED_FEE, invoices, Goods(code, described, minus_one, price))


def _adjustments(catalogue: Catalogue, day: Ints, kind: int, rng: np.random.Generator) -> tuple[Invoices, Lines]:
    """Post bad debts: one at a positive price, or one at a negative price."""
    invoices = _lone_invoices(day, ADJUSTED, rng)
    code = np.full(len(day), catalogue.bad_debt_code)
    price = np.full(len(day), cells.ADJUSTMENT_PRICE + (kind == ADJUSTMENT_DOWN))
    one = np.ones(len(day), dtype=np.int64)
    goods = Goods(code, catalogue.description_of_code(code), one, price)
    return invoices, _lone_lines(kind, invoices, goods)


def _lone_invoices(day: Ints, series: int, rng: np.random.Generator) -> Invoices:
    """Make invoices of one line, without a customer."""
    minute = rng.integers(OPENS, CLOSES + 1, len(day))
    return _invoices(day, minute, series, np.full(len(day), GUEST), np.full(len(day), cells.UNITED_KINGDOM))


def _invoices(day: Ints, minute: Ints, series: int, customer: Ints, country: Ints) -> Invoices:
    return Invoices(day, minute, np.full(len(day), series), customer, country, np.zeros(len(day), dtype=np.int64))


def _lone_lines(kind: int, invoices: Invoices, goods: Goods) -> Lines:
    """Make one line per invoice."""
    return _lines(kind, invoices, np.arange(len(invoices.day)), goods)


def _lines(kind: int, invoices: Invoices, invoice: Ints, goods: Goods) -> Lines:
    count = len(invoice)
    return Lines(
        kind=np.full(count, kind),
        invoice=invoice,
        code=goods.code,
        lower=np.zeros(count, dtype=np.bool_),
        description=goods.description,
        quantity=goods.quantity,
        price=goods.price,
        country=invoices.country[invoice],
        referred=np.zeros(count, dtype=np.bool_),
    )


def _joined(parts: list[tuple[Invoices, Lines]]) -> tuple[Invoices, Lines]:
    """Put invoices and lines of all kinds behind each other."""
    counts = np.cumsum([0, *(len(invoices.day) for invoices, _ in parts)])
    moved = [replace(lines, invoice=lines.invoice + shift) for (_, lines), shift in zip(parts, counts, strict=False)]
    invoices = Invoices(*(np.concatenate([getattr(part, f.name) for part, _ in parts]) for f in fields(Invoices)))
    return invoices, Lines(*(np.concatenate([getattr(part, f.name) for part in moved]) for f in fields(Lines)))


def _in_order(invoices: Invoices, lines: Lines, first_number: int) -> tuple[Invoices, Lines]:
    """Number invoices by time, sort lines by invoice."""
    by_time = np.lexsort((invoices.minute, invoices.day))
    rank = np.empty(len(by_time), dtype=np.int64)
    rank[by_time] = np.arange(len(by_time))
    order = np.argsort(rank[lines.invoice], kind="stable")
    return replace(invoices, number=first_number + rank), Lines(*(getattr(lines, f.name)[order] for f in fields(Lines)))
