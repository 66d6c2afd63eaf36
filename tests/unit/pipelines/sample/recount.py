"""Counts a sample from its files alone: csv, Decimal and dictionaries, nothing of the generator or the pipeline."""

import csv
import gzip
import io
import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from pathlib import Path
from typing import Any

FEES = {"POST", "DOT", "C2", "M", "BANK CHARGES", "AMAZONFEE", "CRUK", "S"}
UNKNOWN = {"Atlantis", "Lilliput", "Erewhon", "n/a"}


@dataclass(frozen=True)
class Line:
    """A line of a file, read as the issue says; None where a cell cannot be read."""

    file: str
    invoice: str
    code: str
    raw_code: str
    description: str
    quantity: int | None
    at: datetime | None
    price: Decimal | None
    rounded: bool
    customer: str
    country: str
    cells: tuple[str, ...]

    @property
    def errors(self) -> list[str]:
        price, quantity = self.price, self.quantity
        found = {
            "missing_invoice": not self.invoice,
            "missing_stock_code": not self.code,
            "bad_quantity": quantity is None,
            "zero_quantity": quantity == 0,
            "bad_date": self.at is None,
            "bad_price": price is None,
            "negative_price": price is not None and price < 0 and not self.invoice.startswith("A"),
            "out_of_range": abs(quantity or 0) > 10**6 or abs(price or Decimal(0)) >= 10**8,
        }
        return [name for name, holds in found.items() if holds]

    @property
    def amount(self) -> Decimal:
        return Decimal(0) if self.quantity is None or self.price is None else self.quantity * self.price

    @property
    def content(self) -> tuple[object, ...]:
        """What makes two lines the same: values where all can be read, else cells."""
        if not (self.invoice and self.code) or None in (self.quantity, self.at, self.price):
            return tuple(cell.strip() for cell in self.cells)
        named = (self.invoice, self.code, self.description, self.quantity, self.at, self.price)
        return (*named, self.customer, self.country.upper())

    @property
    def line_type(self) -> str:
        assert self.quantity is not None
        kinds = {
            "adjustment": self.invoice.startswith("A"),
            "discount": self.code == "D",
            "fee": self.code in FEES,
            "write_off": self.quantity < 0 and self.price == 0,
            "return": self.invoice.startswith("C") or self.quantity < 0,
            "sale": True,
        }
        return next(name for name, holds in kinds.items() if holds)

    @property
    def is_sale(self) -> bool:
        return not self.invoice.startswith("C") and (self.quantity or 0) > 0 and (self.price or 0) > 0


def read_files(data: Path) -> tuple[list[list[Line]], int]:
    """Read every file; gives its lines that can be split, and how many cannot."""
    files, dead = [], 0
    for path in sorted(data.iterdir()):
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        header, *rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        assert len(header) == 8, path
        files.append([_line(path.name, cells) for cells in rows if len(cells) == 8])
        dead += len(rows) - len(files[-1])
    return files, dead


def _line(file: str, cells: list[str]) -> Line:
    invoice, code, description, quantity, at, price, customer, country = cells
    exact = _price(price)
    price_4 = None if exact is None else exact.quantize(Decimal("0.0001"), ROUND_HALF_EVEN)
    whole = int(quantity) if re.fullmatch(r"-?\d+", quantity) else None
    return Line(
        file, invoice.strip(), code.strip().upper(), code, " ".join(description.split()), whole, _time(at),
        price_4, price_4 != exact, customer.strip().removesuffix(".0"), country, tuple(cells),
    )  # fmt: skip


def _price(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


def _time(text: str) -> datetime | None:
    for form in ("%Y-%m-%d %H:%M:%S", "%m/%d/%Y %H:%M"):
        try:
            return datetime.strptime(text, form)
        except ValueError:
            continue
    return None


def recount(data: Path) -> dict[str, Any]:
    """Count everything that `expected.json` says of the lines, by first come first kept."""
    files, dead = read_files(data)
    seen: set[tuple[object, ...]] = set()
    accepted: list[tuple[Line, int]] = []
    rejected: list[Line] = []
    merged: list[Line] = []
    for lines in files:
        occurrences: Counter[tuple[object, ...]] = Counter()
        for line in lines:
            occurrences[line.content] += 1
            identity = (line.content, occurrences[line.content])
            if identity in seen:
                merged.append(line)
            elif line.errors:
                rejected.append(line)
            else:
                accepted.append((line, identity[1]))
            seen.add(identity)
    kept = [line for line, _ in accepted]
    money = {name: _sum(group) for name, group in (("accepted", kept), ("rejected", rejected), ("merged", merged))}
    return {
        "files": len(files),
        "lines": sum(map(len, files)) + dead,
        "dead": dead,
        "read": len(kept) + len(rejected) + len(merged),
        "accepted": len(kept),
        "rejected": len(rejected),
        "merged": len(merged),
        "rejected_by_rule": Counter(",".join(line.errors) for line in rejected),
        "warnings": _warnings(accepted),
        "money": money | {"read": sum(money.values(), Decimal(0))},
        "net_by_month": _net_by_month(kept),
        "sale_lines": sum(line.is_sale for line in kept),
        "sale_revenue": _sum([line for line in kept if line.is_sale]),
        "guest_lines": sum(not line.customer for line in kept),
        "invoices": len({line.invoice for line in kept}),
        "customers": len({line.customer for line in kept} - {""}),
        "products": len({line.code for line in kept}),
        "line_types": Counter(line.line_type for line in kept),
    }


def _warnings(accepted: list[tuple[Line, int]]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for line, occurrence in accepted:
        counts["guest"] += not line.customer
        counts["missing_description"] += not line.description
        counts["normalised_code"] += line.raw_code != line.code
        counts["repeated_line"] += occurrence > 1
        counts["rounded_price"] += line.rounded
        counts["unknown_country"] += line.country in UNKNOWN
        counts["zero_price"] += line.price == 0
    return counts


def _net_by_month(kept: list[Line]) -> dict[str, Decimal]:
    net: dict[str, Decimal] = {}
    for line in kept:
        assert line.at is not None
        month = f"{line.at:%Y-%m}"
        net[month] = net.get(month, Decimal(0)) + line.amount
    return net


def _sum(lines: list[Line]) -> Decimal:
    return sum((line.amount for line in lines), Decimal(0))
