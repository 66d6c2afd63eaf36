"""The real year, to the last digit: lake, warehouse and API against figures that others computed."""

import csv
import json
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
from fastapi.testclient import TestClient

from cluster.warehouse import connect
from ray_apps.session import Run
from tests.flow.conftest import Shop
from warehouse_sql.tables.gold import FACT_SALES
from warehouse_sql.tables.silver import TRANSACTIONS

NET = Decimal("9747747.934")
Figures = dict[str, tuple[Any, ...]]


def sql(shop: Shop, text: str) -> list[tuple[Any, ...]]:
    with connect(shop.session.url) as connection:
        return connection.execute(text.encode()).fetchall()


def expected(real_data: Path, name: str) -> list[dict[str, str]]:
    with (real_data / "expected" / f"or1_{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def pages(api: TestClient, path: str, **query: str) -> Iterator[dict[str, Any]]:
    """Follow the cursor to the end."""
    cursor: dict[str, str] = {}
    while True:
        answer = api.get(path, params={"limit": "1000", **query, **cursor})
        assert answer.status_code == 200, answer.text
        body = answer.json()
        yield from body["data"]
        if not body["next_cursor"]:
            return
        cursor = {"cursor": body["next_cursor"]}


def money(cell: str) -> Decimal:
    """Read an expected amount; an empty cell is the sum over no line."""
    return Decimal(cell or 0)


def amount(value: dict[str, str]) -> Decimal:
    assert value["currency"] == "GBP"
    return Decimal(value["amount"])


def test_every_line_is_accepted_and_the_net_agrees_in_every_layer(real_shop: tuple[Shop, Run]) -> None:
    shop, run = real_shop
    silver = next(result for result in run.results if result.step == "silver")
    assert vars(silver.counts) == {"read": 541_909, "accepted": 541_909, "rejected": 0, "merged": 0}
    for table in (TRANSACTIONS, FACT_SALES):
        total = shop.lake.scan(table).select(pl.len(), pl.col("total_amount").sum()).collect().row(0)
        assert total == (541_909, NET)
    assert sql(shop, "SELECT count(*), sum(total_amount) FROM gold.fact_sales") == [(541_909, NET)]
    assert sql(shop, "SELECT count(*) FROM gold.fact_sales_default") == [(0,)]


def test_kinds_of_lines(real_shop: tuple[Shop, Run], real_data: Path) -> None:
    shop, _ = real_shop
    figures = json.loads((real_data / "expected" / "figures.json").read_text())
    assert sql(
        shop,
        """SELECT count(*) FILTER (WHERE invoice_no LIKE 'C%'), count(*) FILTER (WHERE is_return),
                  count(*) FILTER (WHERE line_type = 'adjustment'),
                  count(*) FILTER (WHERE line_type = 'adjustment' AND unit_price < 0),
                  count(*) FILTER (WHERE customer_key = -1), count(DISTINCT invoice_no),
                  count(*) FILTER (WHERE is_sale), sum(total_amount) FILTER (WHERE is_sale),
                  count(DISTINCT invoice_no) FILTER (WHERE is_sale) FROM gold.fact_sales""",
    ) == [
        (9_288, 10_624, 3, 2, 135_080, 25_900, figures["sales_rows(not C, qty>0, price>0)"],
         Decimal(str(figures["sales_revenue"])), figures["sales_invoices"])
    ]  # fmt: skip


def test_overview(real_api: TestClient) -> None:
    overview = real_api.get("/api/v1/datamart/overview").json()
    assert amount(overview["net"]) == NET
    names = ("lines", "invoices", "products", "customers", "guest_lines", "cancelled_lines", "return_lines")
    assert [overview[name] for name in names] == [541_909, 25_900, 3_958, 4_372, 135_080, 9_288, 10_624]
    assert overview["adjustment_lines"] == 3


def test_days_through_api_and_sql(real_shop: tuple[Shop, Run], real_api: TestClient, real_data: Path) -> None:
    shop, _ = real_shop
    wanted: Figures = {
        row["sale_day"]: (
            *(int(money(row[name])) for name in ("sale_lines", "sale_invoices", "units")), money(row["sales_revenue"]),
            int(money(row["cancel_lines"])), money(row["cancel_value"]), money(row["net_all_lines"]),
        )
        for row in expected(real_data, "daily")
    }  # fmt: skip
    answered = {
        row["period"]: (
            row["sale_lines"], row["sale_invoices"], row["units"], amount(row["sales_revenue"]),
            row["cancelled_lines"], amount(row["cancelled_value"]), amount(row["net"]),
        )
        for row in pages(real_api, "/api/v1/datamart/revenue", granularity="day")
    }  # fmt: skip
    assert answered == wanted
    rows = sql(
        shop,
        """SELECT full_date::text, count(*) FILTER (WHERE is_sale),
                  count(DISTINCT invoice_no) FILTER (WHERE is_sale), sum(quantity) FILTER (WHERE is_sale),
                  sum(total_amount) FILTER (WHERE is_sale), count(*) FILTER (WHERE invoice_no LIKE 'C%'),
                  coalesce(sum(total_amount) FILTER (WHERE invoice_no LIKE 'C%'), 0), sum(total_amount)
           FROM gold.fact_sales JOIN gold.dim_date USING (date_key) GROUP BY 1""",
    )
    assert {day: tuple(figures) for day, *figures in rows} == wanted


def test_months_through_api_and_sql(real_shop: tuple[Shop, Run], real_api: TestClient, real_data: Path) -> None:
    shop, _ = real_shop
    wanted: Figures = {
        row["ym"]: (
            *(int(row[name]) for name in ("sale_lines", "sale_invoices", "active_customers")),
            money(row["sales_revenue"]),
        )
        for row in expected(real_data, "monthly")
    }
    months = {row["period"]: row for row in pages(real_api, "/api/v1/datamart/revenue", granularity="month")}
    answered = {
        name: (row["sale_lines"], row["sale_invoices"], row["customers"], amount(row["sales_revenue"]))
        for name, row in months.items()
    }
    assert answered == wanted
    rows = sql(
        shop,
        """SELECT to_char(invoice_date, 'YYYY-MM'), count(*), count(DISTINCT invoice_no),
                  count(DISTINCT customer_id) FILTER (WHERE customer_key <> -1), sum(total_amount)
           FROM gold.fact_sales JOIN gold.dim_customers USING (customer_key) WHERE is_sale GROUP BY 1""",
    )
    assert {month: tuple(figures) for month, *figures in rows} == wanted
    days: dict[str, Decimal] = defaultdict(Decimal)
    for row in expected(real_data, "daily"):
        days[row["sale_day"][:7]] += money(row["net_all_lines"])
    assert {name: amount(month["net"]) for name, month in months.items()} == days
    net = sql(shop, "SELECT to_char(invoice_date, 'YYYY-MM'), sum(total_amount) FROM gold.fact_sales GROUP BY 1")
    assert dict(net) == days


def test_countries_through_api_and_sql(real_shop: tuple[Shop, Run], real_api: TestClient, real_data: Path) -> None:
    shop, _ = real_shop
    counts = ("lines_all", "sale_lines", "sale_invoices", "customers_all")
    sums = ("sales_revenue", "net_all_lines")
    wanted = {
        row["Country"]: (*(int(row[name]) for name in counts), *(money(row[name]) for name in sums))
        for row in expected(real_data, "country")
    }
    answered = {
        row["country"]: (
            row["lines"], row["sale_lines"], row["sale_invoices"], row["customers"],
            amount(row["sales_revenue"]), amount(row["net"]),
        )
        for row in real_api.get("/api/v1/datamart/countries").json()["data"]
    }  # fmt: skip
    assert answered == wanted
    rows = sql(
        shop,
        """SELECT country.country, count(*), count(*) FILTER (WHERE is_sale),
                  count(DISTINCT invoice_no) FILTER (WHERE is_sale),
                  count(DISTINCT customer_id) FILTER (WHERE customer_key <> -1),
                  coalesce(sum(total_amount) FILTER (WHERE is_sale), 0), sum(total_amount)
           FROM gold.fact_sales JOIN gold.dim_country AS country USING (country_key)
           JOIN gold.dim_customers USING (customer_key) GROUP BY 1""",
    )
    assert {country: tuple(figures) for country, *figures in rows} == wanted
    by_country: dict[str, Decimal] = defaultdict(Decimal)
    for row in pages(real_api, "/api/v1/datamart/revenue", granularity="month", group_by="country"):
        by_country[row["country"]] += amount(row["net"])
    assert by_country == {country: figures[-1] for country, figures in wanted.items()}


def test_products_by_normalised_code(real_shop: tuple[Shop, Run], real_api: TestClient, real_data: Path) -> None:
    shop, _ = real_shop
    wanted: dict[str, list[Any]] = defaultdict(lambda: [0, 0, Decimal(0), Decimal(0)])
    for row in expected(real_data, "product"):
        sums = wanted[row["StockCode"].strip().upper()]
        for place, name in enumerate(("sale_lines", "units", "sales_revenue", "net_all_lines")):
            sums[place] += int(money(row[name])) if place < 2 else money(row[name])
    assert len(wanted) == 3_958
    answered = {
        row["stock_code"]: [row["sale_lines"], row["units"], amount(row["sales_revenue"]), amount(row["net"])]
        for row in pages(real_api, "/api/v1/datamart/products")
    }
    assert answered == wanted
    rows = sql(
        shop,
        """SELECT stock_code, count(*) FILTER (WHERE is_sale), coalesce(sum(quantity) FILTER (WHERE is_sale), 0),
                  coalesce(sum(total_amount) FILTER (WHERE is_sale), 0), sum(total_amount)
           FROM gold.fact_sales JOIN gold.dim_products USING (product_key) GROUP BY 1""",
    )
    assert {code: list(figures) for code, *figures in rows} == wanted


def test_customers_through_api_and_sql(real_shop: tuple[Shop, Run], real_api: TestClient, real_data: Path) -> None:
    shop, _ = real_shop
    wanted: Figures = {
        row["CustomerID"]: (int(row["frequency"]), Decimal(row["monetary"]), row["first_day"], row["last_day"])
        for row in expected(real_data, "rfm")
    }
    answered = {
        row["customer_id"]: (
            row["orders"], amount(row["sales_revenue"]), row["first_purchase_date"], row["last_purchase_date"]
        )
        for row in pages(real_api, "/api/v1/datamart/customers")
        if row["orders"]
    }  # fmt: skip
    assert answered == wanted
    rows = sql(
        shop,
        """SELECT customer_id, count(DISTINCT invoice_no), sum(total_amount), min(invoice_date)::text,
                  max(invoice_date)::text
           FROM gold.fact_sales JOIN gold.dim_customers USING (customer_key)
           WHERE is_sale AND customer_key <> -1 GROUP BY 1""",
    )
    assert {customer: tuple(figures) for customer, *figures in rows} == wanted
    one = real_api.get("/api/v1/datamart/customers/12346").json()
    assert amount(one["sales_revenue"]) == wanted["12346"][1]


def test_months_of_customers_give_the_cohorts(real_shop: tuple[Shop, Run], real_data: Path) -> None:
    shop, _ = real_shop
    rows = sql(
        shop,
        """WITH by_month AS (
               SELECT customer_id, date_trunc('month', invoice_date::timestamp) AS month, sum(total_amount) AS revenue
               FROM gold.fact_sales JOIN gold.dim_customers USING (customer_key)
               WHERE is_sale AND customer_key <> -1 GROUP BY 1, 2),
           first AS (SELECT customer_id, min(month) AS cohort FROM by_month GROUP BY 1)
           SELECT to_char(cohort, 'YYYY-MM'), (extract(year FROM age(month, cohort)) * 12
                  + extract(month FROM age(month, cohort)))::int, count(*), sum(revenue)
           FROM by_month JOIN first USING (customer_id) GROUP BY cohort, month""",
    )
    wanted = {
        (row["cohort"], int(row["month_index"])): (int(row["active_customers"]), Decimal(row["revenue"]))
        for row in expected(real_data, "cohort")
        if int(row["active_customers"])
    }
    assert {(cohort, index): (active, revenue) for cohort, index, active, revenue in rows} == wanted
