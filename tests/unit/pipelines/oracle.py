"""What a line is, said once more in plain Python: strings, int, Decimal and datetime, none of the pipeline's code.

It reads what tests draw (numbers in ASCII, times in the forms below), not everything that may arrive.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation

KNOWN = {"united kingdom": "United Kingdom", "france": "France", "eire": "EIRE"}
FEES = {"POST", "DOT", "C2", "C3", "M", "BANK CHARGES", "AMAZONFEE", "CRUK", "S", "B", "ADJUST", "ADJUST2"}
WEIGHTS = {
    "guest": "0.10", "missing_description": "0.10", "zero_price": "0.10", "unknown_country": "0.10",
    "rounded_price": "0.05", "bad_discount": "0.05", "repeated_line": "0.05", "normalised_code": "0.02",
    "future_date": "0.20",
}  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """What the oracle says of a line."""

    errors: list[str]
    warnings: list[str]
    line_type: str
    is_sale: bool
    score: Decimal


def number(cell: str) -> Decimal | None:
    try:
        value = Decimal(cell.strip())
    except InvalidOperation:
        return None
    return value if value.is_finite() and abs(value) < 10**14 else None


def whole(cell: str) -> int | None:
    value = number(cell)
    return None if value is None or value != int(value) or "e" in cell.lower() else int(value)


def moment(cell: str) -> datetime | None:
    for form in ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%m/%d/%Y %H:%M"):
        try:
            return datetime.strptime(cell.strip(), form)
        except ValueError:
            continue
    return None


def judge(cells: dict[str, str], ingested: datetime) -> Verdict:
    """Judge a line that stands first in its file."""
    invoice = cells["invoice_no"].strip().upper()
    code = " ".join(cells["stock_code"].split()).upper()
    quantity, exact, at = whole(cells["quantity"]), number(cells["unit_price"]), moment(cells["invoice_date"])
    price = None if exact is None else round(exact, 4)
    warnings = sorted(warnings_of(cells, code, exact, price))
    if at is not None and at > ingested:
        warnings = sorted([*warnings, "future_date"])
    return Verdict(
        sorted(errors_of(invoice, code, quantity, at, price)),
        warnings,
        kind(invoice, code, quantity or 0, price or Decimal(0)),
        invoice[:1] != "C" and (quantity or 0) > 0 and (price or 0) > 0,
        1 - sum((Decimal(WEIGHTS[name]) for name in warnings), Decimal(0)),
    )


def errors_of(
    invoice: str, code: str, quantity: int | None, at: datetime | None, price: Decimal | None
) -> Iterator[str]:
    if not invoice:
        yield "missing_invoice"
    if not code:
        yield "missing_stock_code"
    if quantity is None:
        yield "bad_quantity"
    elif quantity == 0:
        yield "zero_quantity"
    if at is None:
        yield "bad_date"
    if price is None:
        yield "bad_price"
    elif price < 0 and invoice[:1] != "A":
        yield "negative_price"
    too_many = quantity is not None and abs(quantity) > 1_000_000
    too_dear = price is not None and abs(price) >= 100_000_000
    too_much = quantity is not None and price is not None and abs(quantity * price) >= 10_000_000_000
    if too_many or too_dear or too_much:
        yield "out_of_range"


def warnings_of(cells: dict[str, str], code: str, exact: Decimal | None, price: Decimal | None) -> Iterator[str]:
    if cells["customer_id"].strip().upper() in ("", "GUEST"):
        yield "guest"
    if not cells["description"].strip():
        yield "missing_description"
    if price == 0:
        yield "zero_price"
    if " ".join(cells["country"].split()).lower() not in KNOWN:
        yield "unknown_country"
    if exact != price:
        yield "rounded_price"
    discount = number(cells["discount_amount"])
    if cells["discount_amount"].strip() and (discount is None or abs(discount) >= 10**10):
        yield "bad_discount"
    if code and code != cells["stock_code"]:
        yield "normalised_code"


def kind(invoice: str, code: str, quantity: int, price: Decimal) -> str:
    if invoice.startswith("A"):
        return "adjustment"
    if code == "D":
        return "discount"
    if code in FEES:
        return "fee"
    if quantity < 0 and price == 0:
        return "write_off"
    return "return" if quantity < 0 or invoice.startswith("C") else "sale"
