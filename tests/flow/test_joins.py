"""Customers by month and pairs of products: the real year against plain Python, and what is made again."""

import csv
import gzip
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, localcontext
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cluster.warehouse import connect
from ray_apps.session import Run
from tests.flow.conftest import Shop
from tests.flow.shop_lake import Platform, line, shop_days, write
from warehouse_sql.tables.gold import BASKET_PAIRS, CUSTOMER_MONTHLY

NO_PRODUCTS = {"D", "POST", "DOT", "C2", "C3", "M", "S", "B", "CRUK", "AMAZONFEE", "BANK CHARGES", "ADJUST", "ADJUST2"}
MOST, SUPPORT = 100, Decimal("0.002")


@dataclass
class Month:
    """What a plain reader finds of a customer in a month."""

    orders: set[str] = field(default_factory=set)
    units: int = 0
    net: Decimal = Decimal(0)
    gross: Decimal = Decimal(0)
    returns: Decimal = Decimal(0)
    days: set[date] = field(default_factory=set)


@dataclass
class Plain:
    """The year, read line by line."""

    baskets: dict[str, set[str]]
    months: dict[tuple[str, date], Month]


@pytest.fixture(scope="module")
def plain(real_data: Path) -> Plain:
    found = Plain(defaultdict(set), defaultdict(Month))
    for row in lines_of(real_data / "online_retail.csv.gz"):
        add_line(found, row)
    return found


def lines_of(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def add_line(found: Plain, row: dict[str, str]) -> None:
    invoice, code = row["InvoiceNo"], row["StockCode"].strip().upper()
    quantity, amount = int(row["Quantity"]), int(row["Quantity"]) * Decimal(row["UnitPrice"])
    is_sale = not invoice.startswith("C") and quantity > 0 and amount > 0
    if is_sale and not invoice.startswith("A") and code not in NO_PRODUCTS:
        found.baskets[invoice].add(code)
    if not row["CustomerID"]:
        return
    day = date.fromisoformat(row["InvoiceDate"][:10])
    month = found.months[row["CustomerID"].removesuffix(".0"), day.replace(day=1)]
    month.net += amount
    if quantity < 0:
        month.returns -= amount
    if is_sale:
        month.orders.add(invoice)
        month.units += quantity
        month.gross += amount
        month.days.add(day)


def test_customers_by_month_of_the_real_year(real_shop: tuple[Shop, Run], plain: Plain) -> None:
    shop, _ = real_shop
    wanted = {
        (customer, first): (
            len(month.orders), month.units, month.net, month.gross, month.returns,
            min(month.days, default=None), max(month.days, default=None),
        )
        for (customer, first), month in plain.months.items()
    }  # fmt: skip
    assert len(wanted) == 13_675
    columns = "customer_id, month, orders, units, net, gross, returns, first_purchase_date, last_purchase_date"
    made = shop.lake.scan(CUSTOMER_MONTHLY).select(columns.split(", ")).collect().rows()
    assert {row[:2]: row[2:] for row in made} == wanted
    with connect(shop.session.url) as connection:
        assert (
            connection.execute(f"SELECT {columns} FROM gold.customer_monthly".encode()).fetchall().sort() == made.sort()
        )


def test_pairs_of_the_real_year(real_shop: tuple[Shop, Run], plain: Plain) -> None:
    shop, run = real_shop
    baskets = [codes for codes in plain.baskets.values() if len(codes) <= MOST]
    items = Counter(code for codes in baskets for code in codes)
    together = Counter(pair for codes in baskets for pair in itertools.combinations(sorted(codes), 2))
    total = len(baskets)
    wanted = {
        (a, b): (count, items[a], items[b], total)
        for (a, b), count in together.items()
        if count >= SUPPORT * total
    }  # fmt: skip
    made = shop.lake.scan(BASKET_PAIRS).collect().rows()
    assert {row[:2]: row[2:] for row in made} == wanted
    step = next(result for result in run.results if result.step == "basket_pairs")
    [said] = step.messages
    left_out = len(plain.baskets) - total
    assert f"{len(wanted):,} pairs from {total:,} baskets; {left_out:,} invoices with more than 100 products" in said
    assert f"{sum(together.values()):,} pairs of products" in said
    assert_measures(shop, wanted)


def assert_measures(shop: Shop, counts: dict[tuple[str, str], tuple[int, int, int, int]]) -> None:
    """Compare what PostgreSQL generates with exact division."""
    columns = "code_a, code_b, support, confidence_a_to_b, confidence_b_to_a, lift, leverage"
    with connect(shop.session.url) as connection, localcontext(prec=50):
        found = {
            row[:2]: row[2:]
            for row in connection.execute(f"SELECT {columns} FROM gold.basket_pairs".encode()).fetchall()
        }
        for pair, (both, a, b, total) in counts.items():
            n = Decimal(both)
            exact = (n / total, n / a, n / b, n * total / (a * b), (n * total - a * b) / (total * total))
            assert found[pair] == tuple(value.quantize(Decimal("1E-10"), ROUND_HALF_UP) for value in exact), pair
    assert len(found) == len(counts)


@pytest.fixture
def platform(tmp_path: Path, ray_local: object) -> Platform:
    platform = Platform(tmp_path / "home", {"basket_min_support": "0"})
    day = [line(invoice="1", code="A1", customer="7"), line(invoice="1", code="B1", customer="7")]
    later = [line(invoice="2", code="C1", at="2011-02-01 10:00:00", customer="7")]
    platform.run(write(tmp_path / "1.csv", day + later))
    return platform


def results_of(platform: Platform, *inputs: Path) -> dict[str, Any]:
    return {result.step: result for result in platform.run(*inputs)}


def test_only_the_months_whose_facts_changed_are_made_again(platform: Platform, tmp_path: Path) -> None:
    before = platform.lake.files(CUSTOMER_MONTHLY)
    late = write(tmp_path / "2.csv", [line(invoice="3", code="B1", at="2011-02-02 10:00:00", customer="7")])
    result = results_of(platform, late)["customer_monthly"]
    assert "1 months built" in result.messages[0]
    after = platform.lake.files(CUSTOMER_MONTHLY)
    kept = [file for file in after if file in before]
    assert [file.partition["invoice_month"] for file in kept] == ["2010-12"]
    assert platform.lake.history(CUSTOMER_MONTHLY)[0]["rows"] == 2
    rows = platform.table(CUSTOMER_MONTHLY).sort("month").select("orders", "net").rows()
    assert rows == [(1, Decimal("30.6")), (2, Decimal("30.6"))]


def test_another_setting_makes_the_pairs_again_and_the_same_one_does_not(platform: Platform) -> None:
    assert platform.table(BASKET_PAIRS).rows() == [("A1", "B1", 1, 1, 1, 2)]
    assert not results_of(platform)["basket_pairs"].changed
    platform.settings["basket_max_products"] = 2
    result = results_of(platform)["basket_pairs"]
    assert result.changed
    assert result.messages[1:] == ("basket_pairs: RETAIL_BASKET_MAX_PRODUCTS was 100, is 2",)
    platform.settings["basket_min_support"] = "0.6"
    assert results_of(platform)["basket_pairs"].changed
    assert platform.table(BASKET_PAIRS).is_empty()
    platform.settings["basket_min_support"] = "0.60"
    assert not results_of(platform)["basket_pairs"].changed


def test_a_shop_of_guests_has_no_months_and_is_published_all_the_same(tmp_path: Path, ray_local: object) -> None:
    platform = Platform(tmp_path / "home")
    platform.run(write(tmp_path / "1.csv", [line(customer=""), line(invoice="2", code="X1", customer="")]))
    assert platform.table(CUSTOMER_MONTHLY).is_empty()
    named = write(tmp_path / "2.csv", [line(invoice="3", customer="9")])
    platform.run(named)
    assert platform.table(CUSTOMER_MONTHLY)["customer_id"].to_list() == ["9"]


def test_spark_makes_the_same_tables(tmp_path: Path, ray_local: object) -> None:
    """Every join on Spark on the run's own Ray: a first delivery, then one that adds to a month that is there."""
    deliveries = [write(tmp_path / f"{n}.csv", lines) for n, lines in enumerate(shop_days(3, days=4))]
    made = {}
    for engine in ("local", "spark"):
        platform = Platform(tmp_path / engine, {"basket_min_support": "0.01", "join": engine})
        platform.run(*deliveries[:3])
        results = {result.step: result for result in platform.run(deliveries[3])}
        for step in ("gold", "customer_monthly", "basket_pairs"):
            assert f"({engine}, as set; " in results[step].messages[0]
        made[engine] = platform.hashes()
        assert platform.table(BASKET_PAIRS).height > 5
    assert made["spark"] == made["local"]


def test_files_have_the_types_of_the_table(platform: Platform) -> None:
    for table in (CUSTOMER_MONTHLY, BASKET_PAIRS):
        for file in platform.lake.files(table):
            held = pl.read_parquet_schema(file.uri)
            wanted = pl.DataFrame(pl.from_arrow(platform.lake.schema(table).empty_table())).schema
            assert all(held[name] == wanted[name] for name in held), table
