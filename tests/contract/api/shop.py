"""A small shop, written by hand: lines, dimensions, what the rules found. Tests work out their figures from it.

LINES are its first months; TWO_YEARS goes on until figures have a month of the year before.
"""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import combinations

import psycopg

from pipelines.marts.refresh import refresh_marts
from warehouse_sql.tables import gold

SALE_KEY_MASK = 2**63 - 1
FIRST, LAST = date(1, 1, 1), date(9999, 12, 31)
GUEST = -1


@dataclass(frozen=True)
class Line:
    invoice_no: str
    at: datetime
    product_key: int
    customer_key: int
    country: str
    quantity: int
    price: Decimal
    line_type: str = "sale"
    discount: Decimal | None = None

    @property
    def amount(self) -> Decimal:
        return self.quantity * self.price

    @property
    def is_sale(self) -> bool:
        return not self.invoice_no.startswith("C") and self.quantity > 0 and self.price > 0

    @property
    def customer_id(self) -> str | None:
        return None if self.customer_key == GUEST else CUSTOMERS[self.customer_key][0]

    @property
    def stock_code(self) -> str:
        return PRODUCTS[self.product_key][0]

    @property
    def month(self) -> date:
        return self.at.date().replace(day=1)


COUNTRIES = {
    "United Kingdom": (826, "GB", "GBR", "Northern Europe"),
    "France": (250, "FR", "FRA", "Western Europe"),
    "EIRE": (372, "IE", "IRL", "Northern Europe"),
    "Unspecified": (0, None, None, "Unspecified"),
}
CUSTOMERS = {
    GUEST: ("GUEST", "Unspecified", FIRST, LAST),
    1: ("17850", "United Kingdom", FIRST, LAST),
    2: ("12583", "France", FIRST, date(2011, 1, 31)),
    3: ("12583", "EIRE", date(2011, 2, 1), LAST),
    4: ("13047", "United Kingdom", FIRST, LAST),
    5: ("14646", "France", FIRST, LAST),
    6: ("15311", "EIRE", FIRST, LAST),
    7: ("16029", "United Kingdom", FIRST, LAST),
}
PRODUCTS = {
    10: ("85123A", "WHITE HANGING HEART", FIRST, date(2011, 1, 9)),
    11: ("85123A", "CREAM HANGING HEART", date(2011, 1, 10), LAST),
    20: ("22423", "REGENCY <CAKESTAND> & TRAY", FIRST, LAST),
    30: ("POST", "POSTAGE", FIRST, LAST),
    40: ("B", None, FIRST, LAST),
    50: ("22697", "GREEN TEACUP", FIRST, LAST),
    60: ("22699", "ROSES TEACUP", FIRST, date(2011, 12, 31)),
    61: ("22699", "ROSES TEACUP & SAUCER", date(2012, 1, 1), LAST),
    70: ("20725", None, FIRST, LAST),
}


def _line(
    invoice: str, at: str, product: int, customer: int, country: str, quantity: int, price: str, kind: str = "sale"
) -> Line:
    return Line(invoice, datetime.fromisoformat(at), product, customer, country, quantity, Decimal(price), kind)


LINES = (
    _line("536365", "2010-12-01 08:26", 10, 1, "United Kingdom", 6, "2.55"),
    _line("536365", "2010-12-01 08:26", 10, 1, "United Kingdom", 6, "2.55"),
    _line("536365", "2010-12-01 08:26", 20, 1, "United Kingdom", 2, "12.75"),
    _line("536370", "2010-12-01 08:45", 10, 2, "France", 10, "2.55"),
    _line("536371", "2010-12-02 09:00", 20, -1, "United Kingdom", 1, "25.49"),
    _line("C536379", "2010-12-02 09:41", 10, 1, "United Kingdom", -1, "2.55", "return"),
    _line("536380", "2010-12-05 10:00", 20, -1, "United Kingdom", -3, "0", "write_off"),
    _line("540000", "2011-01-03 08:00", 30, 2, "France", 1, "18", "fee"),
    _line("540001", "2011-01-31 16:00", 11, 2, "France", 4, "0.001"),
    _line("541000", "2011-02-01 10:30", 20, 3, "EIRE", 2, "12.75"),
    _line("560000", "2011-07-01 12:00", 20, 1, "United Kingdom", 1, "12.75"),
    _line("A563187", "2011-08-12 14:51", 40, -1, "United Kingdom", 1, "-11062.06", "adjustment"),
)
TWO_YEARS = (
    *LINES,
    # A month with a return alone: it sells nothing, and its net is below zero.
    _line("C550000", "2011-03-10 10:00", 20, 1, "United Kingdom", -2, "12.75", "return"),
    _line("550001", "2011-04-04 10:00", 50, 4, "United Kingdom", 8, "1.25"),
    _line("570001", "2011-12-05 09:00", 50, 4, "United Kingdom", 6, "1.25"),
    _line("570001", "2011-12-05 09:00", 60, 4, "United Kingdom", 6, "1.45"),
    _line("570001", "2011-12-05 09:00", 70, 4, "United Kingdom", 10, "1.65"),
    _line("570002", "2011-12-06 11:30", 50, 5, "France", 24, "1.25"),
    _line("570002", "2011-12-06 11:30", 60, 5, "France", 24, "1.45"),
    _line("570002", "2011-12-06 11:30", 30, 5, "France", 1, "18", "fee"),
    _line("570003", "2011-12-07 12:00", 50, GUEST, "United Kingdom", 2, "2.46"),
    _line("570003", "2011-12-07 12:00", 70, GUEST, "United Kingdom", 2, "3.29"),
    _line("570004", "2012-01-09 15:00", 61, 4, "United Kingdom", 6, "1.45"),
    _line("570004", "2012-01-09 15:00", 70, 4, "United Kingdom", 5, "1.65"),
    _line("570005", "2012-01-16 09:20", 20, 6, "EIRE", 1, "12.7533"),
    _line("570005", "2012-01-16 09:20", 50, 6, "EIRE", 12, "1.25"),
    _line("570006", "2012-02-02 10:10", 11, 1, "United Kingdom", 3, "2.95"),
    _line("570006", "2012-02-02 10:10", 20, 1, "United Kingdom", 1, "12.75"),
    _line("570007", "2012-02-20 16:45", 50, 4, "United Kingdom", 6, "1.25"),
    _line("570007", "2012-02-20 16:45", 61, 4, "United Kingdom", 6, "1.45"),
    _line("C570008", "2012-02-21 09:00", 61, 4, "United Kingdom", -6, "1.45", "return"),
    _line("580000", "2012-03-15 12:00", 70, 7, "United Kingdom", 4, "1.65"),
)
LINE_IDS = tuple(uuid.uuid5(uuid.NAMESPACE_OID, str(place)) for place in range(len(TWO_YEARS)))
RULE_COUNTS = (
    ("guest", "warned", 3, Decimal("-11036.57")),
    ("zero_price", "warned", 1, Decimal(0)),
    ("zero_quantity", "rejected", 2, Decimal(0)),
    ("bad_price", "rejected", 1, None),
    ("already_there", "merged", 4, Decimal("10.2")),
)
DATA_VERSION = 7
CANCELLED = "C"
FACT_COLUMNS = 21
LOADED = (gold.FACT_SALES, gold.DIM_CUSTOMERS, gold.DIM_PRODUCTS, gold.CUSTOMER_MONTHLY, gold.BASKET_PAIRS)


def sale_key(line_id: uuid.UUID) -> int:
    return line_id.int & SALE_KEY_MASK


def months_of_customers(lines: Sequence[Line]) -> list[tuple[object, ...]]:
    """The rows of gold.customer_monthly: one per named customer and month with lines."""
    groups: dict[tuple[str, date], list[Line]] = defaultdict(list)
    for line in lines:
        if line.customer_id:
            groups[line.customer_id, line.month].append(line)
    rows: list[tuple[object, ...]] = []
    for (customer_id, month), group in groups.items():
        sales = [line for line in group if line.is_sale]
        days = [line.at.date() for line in sales]
        returned = -sum((line.amount for line in group if line.quantity < 0), Decimal(0))
        net, gross = (sum((line.amount for line in some), Decimal(0)) for some in (group, sales))
        counts = (len({line.invoice_no for line in sales}), sum(line.quantity for line in sales))
        rows.append(
            (customer_id, month, *counts, net, gross, returned, min(days, default=None), max(days, default=None))
        )
    return rows


def pairs_of_products(lines: Sequence[Line]) -> list[tuple[str, str, int, int, int, int]]:
    """The counts of gold.basket_pairs: code_a, code_b, pair, a, b, total."""
    baskets: dict[str, set[str]] = defaultdict(set)
    for line in lines:
        if line.is_sale and line.line_type == "sale":
            baskets[line.invoice_no].add(line.stock_code)

    def bought(*codes: str) -> int:
        return sum(basket.issuperset(codes) for basket in baskets.values())

    codes = sorted(set().union(*baskets.values()))
    pairs = [(a, b, bought(a, b), bought(a), bought(b), len(baskets)) for a, b in combinations(codes, 2)]
    return [pair for pair in pairs if pair[2]]


def load_shop(url: str, lines: Sequence[Line] = LINES) -> None:
    """Load the shop into a warehouse that is deployed and empty, as a publication would."""
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        _load_dimensions(cursor, lines)
        for year, quarter in sorted({(line.at.year, (line.at.month - 1) // 3) for line in lines}):
            first, after = date(year, 3 * quarter + 1, 1), date(year + quarter // 3, (3 * quarter + 3) % 12 + 1, 1)
            cursor.execute(
                f"CREATE TABLE gold.fact_sales_of_{first:%Y%m%d} PARTITION OF gold.fact_sales "
                f"FOR VALUES FROM ('{first}') TO ('{after}')"
            )
        for line, line_id in zip(lines, LINE_IDS, strict=False):
            cursor.execute(
                f"INSERT INTO gold.fact_sales VALUES ({', '.join(['%s'] * FACT_COLUMNS)})",
                (
                    sale_key(line_id),
                    line_id,
                    line.invoice_no,
                    line.at.date(),
                    line.at,
                    int(line.at.strftime("%Y%m%d")),
                    line.customer_key,
                    line.product_key,
                    COUNTRIES[line.country][0],
                    line.country,
                    line.quantity,
                    line.price,
                    line.amount,
                    line.discount,
                    line.line_type,
                    line.is_sale,
                    line.quantity < 0,
                    Decimal("0.90") if line.customer_key == -1 else Decimal(1),
                    "batch-1",
                    "0123456789abcdef:2",
                    "2026-11-24T09:00:00Z",
                ),
            )
        cursor.executemany(
            "INSERT INTO gold.customer_monthly VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)", months_of_customers(lines)
        )
        cursor.executemany("INSERT INTO gold.basket_pairs VALUES (%s, %s, %s, %s, %s, %s)", pairs_of_products(lines))
        cursor.executemany("INSERT INTO ops.rule_counts VALUES (%s, %s, %s, %s)", RULE_COUNTS)
        publish(cursor, DATA_VERSION)
        refresh_marts(connection, LOADED)


def publish(cursor: psycopg.Cursor, version: int) -> None:
    cursor.execute(
        "INSERT INTO ops.publications VALUES (%s, '2026-11-24T09:30:00Z', 'run-1', '{}', '{}', '{}', '{}')", (version,)
    )


def _load_dimensions(cursor: psycopg.Cursor, lines: Sequence[Line]) -> None:
    for day in sorted({line.at.date() for line in lines}):
        week = day.isocalendar()
        parts = (day.year, (day.month + 2) // 3, day.month, f"{day:%B}", day.day)
        row = (int(day.strftime("%Y%m%d")), day, *parts, *week, f"{day:%A}", week.weekday > 5)
        cursor.execute(f"INSERT INTO gold.dim_date VALUES ({', '.join(['%s'] * len(row))})", row)
    for name, (key, alpha2, alpha3, region) in COUNTRIES.items():
        cursor.execute("INSERT INTO gold.dim_country VALUES (%s, %s, %s, %s, %s)", (key, name, alpha2, alpha3, region))
    for table, versions in (("dim_customers", CUSTOMERS), ("dim_products", PRODUCTS)):
        for key, (natural, text, first, last) in versions.items():
            version = (key, natural, text, first, last, last == LAST)
            cursor.execute(f"INSERT INTO gold.{table} VALUES (%s, %s, %s, %s, %s, %s)", version)
