"""Every mart of the real year to the last digit: against figures that others computed, and against plain Python."""

import csv
import json
import operator
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest

from cluster.warehouse import connect
from pipelines.marts.dbt import environment, find_dbt, run_dbt
from pipelines.marts.deploy import PROJECT
from ray_apps.session import Run
from tests.flow.conftest import Shop
from warehouse_sql.statements import statement
from warehouse_sql.tables.silver import TRANSACTIONS

Rows = list[tuple[Any, ...]]
Line = dict[str, Any]
UNIQUE = {
    "mv_daily_sales_summary": ("sales_date", "country"),
    "mv_product_revenue": ("month", "stock_code"),
    "mv_country_revenue": ("month", "country"),
    "mv_customer_cohorts": ("cohort", "month_index"),
    "mv_customer_rfm": ("customer_id",),
    "mv_returns": ("month", "country", "stock_code"),
}
ENDPOINTS = {"segments", "trends", "cohorts", "baskets", "products", "countries"}
NOTHING = Decimal(0)


@pytest.fixture(scope="module")
def lines(real_shop: tuple[Shop, Run]) -> list[Line]:
    """The accepted lines as silver has them, before any star: natural ids, no versions."""
    columns = ["invoice_no", "invoice_date", "stock_code", "quantity", "total_amount", "customer_id", "country"]
    rows = real_shop[0].lake.scan(TRANSACTIONS).select(*columns, "is_sale", "is_return").collect().to_dicts()
    return [row | {"month": row["invoice_date"].replace(day=1)} for row in rows]


def mart(real_shop: tuple[Shop, Run], name: str, columns: str) -> Rows:
    with connect(real_shop[0].session.url) as connection:
        rows = connection.execute(f"SELECT {columns} FROM marts.{name}".encode()).fetchall()
    assert rows
    return rows


def grouped(lines: Iterable[Line], *keys: str) -> dict[tuple[Any, ...], list[Line]]:
    groups = defaultdict(list)
    for line in lines:
        groups[tuple(line[key] for key in keys)].append(line)
    return groups


def money(lines: Iterable[Line]) -> Decimal:
    return sum((line["total_amount"] for line in lines), NOTHING)


def sales(lines: Iterable[Line]) -> list[Line]:
    return [line for line in lines if line["is_sale"]]


def expected(real_data: Path, name: str) -> list[dict[str, str]]:
    with (real_data / "expected" / f"or1_{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_daily_sales(real_shop: tuple[Shop, Run], lines: list[Line], real_data: Path) -> None:
    wanted = []
    for (day, country), group in grouped(lines, "invoice_date", "country").items():
        revenue, invoices = money(sales(group)), len({line["invoice_no"] for line in sales(group)})
        average = (revenue / invoices).quantize(Decimal("0.0001"), ROUND_HALF_UP) if invoices else None
        wanted.append((day, country, invoices, revenue, average))
    columns = "sales_date, country, transaction_count, daily_revenue, avg_transaction_value"
    held = mart(real_shop, "mv_daily_sales_summary", columns)
    assert sorted(held) == sorted(wanted)
    assert any(average is None for *_, average in held)
    days: dict[str, tuple[int, Decimal]] = defaultdict(lambda: (0, NOTHING))
    for day, _, invoices, revenue, _ in held:
        days[str(day)] = (days[str(day)][0] + invoices, days[str(day)][1] + revenue)
    figures = {
        row["sale_day"]: (int(row["sale_invoices"]), Decimal(row["sales_revenue"]))
        for row in expected(real_data, "daily")
    }
    assert days == figures


def test_products(real_shop: tuple[Shop, Run], lines: list[Line], real_data: Path) -> None:
    wanted = []
    for (month, code), group in grouped(lines, "month", "stock_code").items():
        sold, back = sales(group), [line for line in group if line["is_return"]]
        units, returned = (sum(line["quantity"] for line in part) for part in (sold, back))
        counts = (len(group), len(sold), units, money(group), money(sold), len(back), -returned)
        wanted.append((month, code, *counts))
    columns = "month, stock_code, lines, sale_lines, units, net, sales_revenue, return_lines, returned_units"
    held = mart(real_shop, "mv_product_revenue", columns)
    assert sorted(held) == sorted(wanted)
    none = (0, 0, NOTHING, NOTHING)
    totals: dict[str, tuple[Any, ...]] = defaultdict(lambda: none)
    for _, code, _, sale_lines, units, net, revenue, _, _ in held:
        totals[code] = added(totals[code], (sale_lines, units, revenue, net))
    figures: dict[str, tuple[Any, ...]] = defaultdict(lambda: none)
    for row in expected(real_data, "product"):  # by code as delivered, in both cases
        whole = (int(row["sale_lines"]), int(row["units"] or 0))
        code, amounts = row["StockCode"].upper(), (row["sales_revenue"], row["net_all_lines"])
        figures[code] = added(figures[code], (*whole, *(Decimal(amount or 0) for amount in amounts)))
    assert totals == figures


def added(one: tuple[Any, ...], other: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(map(operator.add, one, other))


def test_countries(real_shop: tuple[Shop, Run], lines: list[Line], real_data: Path) -> None:
    wanted = []
    for (month, country), group in grouped(lines, "month", "country").items():
        sold = sales(group)
        customers = {line["customer_id"] for line in sold} - {None}
        invoices = {line["invoice_no"] for line in sold}
        units = sum(line["quantity"] for line in sold)
        wanted.append(
            (month, country, len(group), len(sold), len(invoices), len(customers), units, money(group), money(sold))
        )
    columns = "month, country, lines, sale_lines, sale_invoices, customers, units, net, sales_revenue"
    held = mart(real_shop, "mv_country_revenue", columns)
    assert sorted(held) == sorted(wanted)
    months: dict[str, tuple[int, int, Decimal]] = defaultdict(lambda: (0, 0, NOTHING))
    for month, _, _, sale_lines, invoices_of, _, _, _, revenue in held:
        was = months[f"{month:%Y-%m}"]
        months[f"{month:%Y-%m}"] = (was[0] + sale_lines, was[1] + invoices_of, was[2] + revenue)
    assert months == {
        row["ym"]: (int(row["sale_lines"]), int(row["sale_invoices"]), Decimal(row["sales_revenue"]))
        for row in expected(real_data, "monthly")
    }


def test_returns(real_shop: tuple[Shop, Run], lines: list[Line]) -> None:
    back = [line for line in lines if line["is_return"]]
    wanted = [
        (*key, len(group), -sum(line["quantity"] for line in group), money(group))
        for key, group in grouped(back, "month", "country", "stock_code").items()
    ]
    columns = "month, country, stock_code, return_lines, returned_units, return_value"
    held = mart(real_shop, "mv_returns", columns)
    assert sorted(held) == sorted(wanted)
    assert sum(row[3] for row in held) == 10_624


def test_cohorts(real_shop: tuple[Shop, Run], lines: list[Line], real_data: Path) -> None:
    bought = grouped(sales(line for line in lines if line["customer_id"]), "customer_id", "month")
    first: dict[str, date] = {}
    for customer, month in sorted(bought, key=lambda key: key[1]):
        first.setdefault(customer, month)
    cells: dict[tuple[date, int], tuple[int, Decimal]] = {}
    for (customer, month), group in bought.items():
        index = (month.year - first[customer].year) * 12 + month.month - first[customer].month
        active, revenue = cells.get((first[customer], index), (0, NOTHING))
        cells[first[customer], index] = (active + 1, revenue + money(group))
    last, wanted = max(line["month"] for line in lines), []
    for cohort in sorted(set(first.values())):
        total = NOTHING
        for index in range((last.year - cohort.year) * 12 + last.month - cohort.month + 1):
            active, revenue = cells.get((cohort, index), (0, NOTHING))
            total += revenue
            wanted.append((cohort, index, active, revenue, total))
    columns = "cohort, month_index, active_customers, revenue, cumulative_revenue"
    held = mart(real_shop, "mv_customer_cohorts", columns)
    assert sorted(held) == wanted
    assert [(f"{cohort:%Y-%m}", index, active, revenue) for cohort, index, active, revenue, _ in sorted(held)] == [
        (row["cohort"], int(row["month_index"]), int(row["active_customers"]), Decimal(row["revenue"]))
        for row in expected(real_data, "cohort")
    ]


def segment(recency: int, frequency: int) -> str:
    """Name a customer by rules, where the platform has a table."""
    if recency <= 2:
        return ("Hibernating", "Hibernating", "At risk", "At risk", "Cannot lose")[frequency - 1]
    if recency == 3 and frequency <= 3:
        return "Need attention" if frequency == 3 else "About to sleep"
    if frequency >= 4:
        return "Champions" if recency == 5 else "Loyal customers"
    if frequency >= 2:
        return "Potential loyalists"
    return "New customers" if recency == 5 else "Promising"


def test_rfm(real_shop: tuple[Shop, Run], lines: list[Line], real_data: Path) -> None:
    as_of = max(line["invoice_date"] for line in lines) + timedelta(1)
    measures = {
        customer: (
            (as_of - max(line["invoice_date"] for line in group)).days,
            len({line["invoice_no"] for line in group}),
            money(group),
        )
        for (customer,), group in grouped(sales(lines), "customer_id").items()
        if customer
    }
    ordered = [sorted(column) for column in zip(*((-r, f, m) for r, f, m in measures.values()), strict=True)]
    wanted = []
    for customer, (recency, frequency, monetary) in measures.items():
        better_than = [
            bisect_left(all_, mine) for all_, mine in zip(ordered, (-recency, frequency, monetary), strict=True)
        ]
        scores = [1 + 5 * ahead // len(measures) for ahead in better_than]
        wanted.append((customer, as_of, recency, frequency, monetary, *scores, segment(*scores[:2])))
    columns = (
        "customer_id, as_of, recency_days, frequency, monetary, recency_score, frequency_score, monetary_score, segment"
    )
    held = mart(real_shop, "mv_customer_rfm", columns)
    assert sorted(held) == sorted(wanted)
    assert {score for row in held for score in row[5:8]} == {1, 2, 3, 4, 5}
    assert {row[0]: row[2:5] for row in held} == {
        row["CustomerID"]: (int(row["recency_days"]), int(row["frequency"]), Decimal(row["monetary"]))
        for row in expected(real_data, "rfm")
    }


def test_types_and_keys_are_what_readers_build_on(real_shop: tuple[Shop, Run]) -> None:
    with connect(real_shop[0].session.url) as connection:
        kinds = connection.execute(
            """SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod) FROM pg_attribute
               WHERE attnum > 0 AND attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'marts'::regnamespace
                                                 AND relkind = 'm')"""
        ).fetchall()
        keys = connection.execute(
            "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = 'marts' AND indexdef LIKE 'CREATE UNIQUE%'"
        ).fetchall()
        others = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'marts'::regnamespace AND relkind NOT IN ('m', 'i')"
        ).fetchall()
    small = {"recency_score", "frequency_score", "monetary_score"}
    for _, column, kind in kinds:
        wanted = {
            **dict.fromkeys(("sales_date", "month", "cohort", "as_of"), "date"),
            **dict.fromkeys(("country", "stock_code", "customer_id", "segment"), "text"),
            **dict.fromkeys(("month_index", "recency_days"), "integer"),
            **dict.fromkeys(small, "smallint"),
            **dict.fromkeys(("net", "sales_revenue", "revenue", "cumulative_revenue"), "numeric(20,4)"),
            **dict.fromkeys(("daily_revenue", "monetary", "return_value"), "numeric(20,4)"),
            "avg_transaction_value": "numeric(14,4)",
        }.get(column, "bigint")
        assert kind == wanted, column
    assert {name: tuple(re.findall(r"\((.*)\)", text)[0].split(", ")) for name, text in keys} == UNIQUE
    assert others == []


def test_refreshing_costs_less_than_publishing_the_year(real_shop: tuple[Shop, Run]) -> None:
    publication = next(result for result in real_shop[1].results if result.step == "publish")
    [cost] = [message for message in publication.messages if "marts refreshed" in message]
    spent = re.search(r"refreshed in ([\d.]+) s", cost)
    assert spent
    assert float(spent[1]) < publication.seconds / 2  # less than all the rest
    assert {name for name in UNIQUE if f"{name} " in cost} == UNIQUE.keys()


def test_the_project_documents_every_column_and_who_reads_it(real_shop: tuple[Shop, Run], tmp_path: Path) -> None:
    shop, _ = real_shop
    with connect(shop.session.url) as connection:
        environ = environment(connection, shop.session.url, "")
    manifest = run_dbt([str(find_dbt(shop.settings)), "docs", "generate"], PROJECT, tmp_path, tmp_path, environ)
    catalog = json.loads((tmp_path / "catalog.json").read_text())["nodes"]
    models = {node["name"]: node for node in manifest["nodes"].values() if node["resource_type"] == "model"}
    assert models.keys() == UNIQUE.keys()
    for name, node in models.items():
        documented = {column for column, about in node["columns"].items() if about["description"]}
        assert documented == catalog[node["unique_id"]]["columns"].keys(), name
        assert node["description"]
        assert node["config"]["materialized"] == "materialized_view"
        assert manifest["groups"][f"group.retail.{node['group']}"]["owner"]["name"]
        tests = [of for of in manifest["child_map"][node["unique_id"]] if of.startswith("test.")]
        assert any(test.startswith("test.retail.grain_") for test in tests), name
    exposures = {exposure["name"]: exposure for exposure in manifest["exposures"].values()}
    assert exposures.keys() == {f"api_{endpoint}" for endpoint in ENDPOINTS}
    for endpoint in ENDPOINTS:
        nodes = exposures[f"api_{endpoint}"]["depends_on"]["nodes"]
        said = {re.sub(r".*\.(?=\w+$)", "", node) for node in nodes}
        assert said == set(re.findall(r"(?:gold|marts|seeds)\.(\w+)", statement(f"datamart/{endpoint}"))), endpoint
    assert {node["label"] for node in exposures.values()} == {f"GET /api/v1/datamart/{name}" for name in ENDPOINTS}
