"""A small shop, written by hand: lines, dimensions, what the rules found. Tests work out their figures from it."""

import uuid
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import psycopg

SALE_KEY_MASK = 2**63 - 1
FIRST, LAST = date(1, 1, 1), date(9999, 12, 31)


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
        return {1: "17850", 2: "12583", 3: "12583"}.get(self.customer_key)

    @property
    def stock_code(self) -> str:
        return PRODUCTS[self.product_key][0]


COUNTRIES = {
    "United Kingdom": (826, "GB", "GBR", "Northern Europe"),
    "France": (250, "FR", "FRA", "Western Europe"),
    "EIRE": (372, "IE", "IRL", "Northern Europe"),
    "Unspecified": (0, None, None, "Unspecified"),
}
CUSTOMERS = {
    -1: ("GUEST", "Unspecified", FIRST, LAST),
    1: ("17850", "United Kingdom", FIRST, LAST),
    2: ("12583", "France", FIRST, date(2011, 1, 31)),
    3: ("12583", "EIRE", date(2011, 2, 1), LAST),
}
PRODUCTS = {
    10: ("85123A", "WHITE HANGING HEART", FIRST, date(2011, 1, 9)),
    11: ("85123A", "CREAM HANGING HEART", date(2011, 1, 10), LAST),
    20: ("22423", "REGENCY <CAKESTAND> & TRAY", FIRST, LAST),
    30: ("POST", "POSTAGE", FIRST, LAST),
    40: ("B", None, FIRST, LAST),
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
LINE_IDS = tuple(uuid.uuid5(uuid.NAMESPACE_OID, str(place)) for place in range(len(LINES)))
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


def sale_key(line_id: uuid.UUID) -> int:
    return line_id.int & SALE_KEY_MASK


def load_shop(url: str) -> None:
    """Load the shop into a migrated, empty warehouse."""
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        _load_dimensions(cursor)
        for first, after in (("2010-10-01", "2011-01-01"), ("2011-01-01", "2011-04-01"), ("2011-07-01", "2011-10-01")):
            name = f"fact_sales_of_{first.replace('-', '')}"
            cursor.execute(
                f"CREATE TABLE gold.{name} PARTITION OF gold.fact_sales FOR VALUES FROM ('{first}') TO ('{after}')"
            )
        for line, line_id in zip(LINES, LINE_IDS, strict=True):
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
        cursor.executemany("INSERT INTO ops.rule_counts VALUES (%s, %s, %s, %s)", RULE_COUNTS)
        publish(cursor, DATA_VERSION)


def publish(cursor: psycopg.Cursor, version: int) -> None:
    cursor.execute(
        "INSERT INTO ops.publications VALUES (%s, '2026-11-24T09:30:00Z', 'run-1', '{}', '{}', '{}', '{}')", (version,)
    )


def _load_dimensions(cursor: psycopg.Cursor) -> None:
    for day in sorted({line.at.date() for line in LINES}):
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
