"""The datamart against figures worked out in Python from the same lines."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.contract.api.figures import MART, by_net, customers, every_row, grouped, invoices, money, net, sales_of
from tests.contract.api.shop import CANCELLED, COUNTRIES, DATA_VERSION, LINES, RULE_COUNTS, Line


def _cancelled(lines: Iterable[Line]) -> list[Line]:
    return [line for line in lines if line.invoice_no.startswith(CANCELLED)]


def test_the_overview_adds_up_all_lines(api: TestClient) -> None:
    answer = api.get(f"{MART}/overview").json()
    quality = answer.pop("quality")
    assert answer == {
        "publication": {"data_version": DATA_VERSION, "published_at": "2026-11-24T09:30:00Z"},
        "net": net(LINES),
        "sales_revenue": net(sales_of(LINES)),
        "lines": len(LINES),
        "sale_lines": len(sales_of(LINES)),
        "invoices": invoices(LINES),
        "sale_invoices": invoices(sales_of(LINES)),
        "customers": 2,
        "products": 4,
        "guest_lines": 3,
        "cancelled_lines": 1,
        "return_lines": 2,
        "adjustment_lines": 1,
        "first_date": "2010-12-01",
        "last_date": "2011-08-12",
        "average_quality_score": 0.975,
    }
    rules = [(rule["rule_id"], rule["outcome"], rule["lines"], rule["amount"]) for rule in quality]
    assert sorted(rules) == sorted((name, outcome, lines, money(value)) for name, outcome, lines, value in RULE_COUNTS)


def _starts(granularity: str, day: date) -> tuple[date, str]:
    match granularity:
        case "day":
            return day, str(day)
        case "week":
            week = day.isocalendar()
            return day - timedelta(days=day.weekday()), f"{week.year}-W{week.week:02d}"
    return day.replace(day=1), f"{day:%Y-%m}"


@pytest.mark.parametrize("granularity", ["day", "week", "month"])
@pytest.mark.parametrize("group_by", [None, "country", "product"])
@pytest.mark.parametrize("limit", [1, 3, 1000])
def test_revenue_by_period_and_member(api: TestClient, granularity: str, group_by: str | None, limit: int) -> None:
    def member(line: Line) -> str:
        return {"country": line.country, "product": line.stock_code}.get(group_by or "", "")

    groups = grouped(lambda line: (*_starts(granularity, line.at.date()), member(line)))
    query = {"granularity": granularity, "limit": limit} | ({"group_by": group_by} if group_by else {})
    expected = [
        {
            "period": period,
            "period_start": str(start),
            "country": name if group_by == "country" else None,
            "stock_code": name if group_by == "product" else None,
            "net": net(lines),
            "sales_revenue": net(sales_of(lines)),
            "lines": len(lines),
            "sale_lines": len(sales_of(lines)),
            "sale_invoices": invoices(sales_of(lines)),
            "customers": customers(sales_of(lines)),
            "units": sum(line.quantity for line in sales_of(lines)),
            "cancelled_lines": len(_cancelled(lines)),
            "cancelled_value": net(_cancelled(lines)),
        }
        for (start, period, name), lines in sorted(groups.items())
    ]
    assert every_row(api, f"{MART}/revenue", **query) == expected


def test_revenue_keeps_to_its_days_even_within_a_week(api: TestClient) -> None:
    wednesday = {"granularity": "week", "from": "2010-12-02", "to": "2010-12-04"}
    (week,) = every_row(api, f"{MART}/revenue", **wednesday)
    assert (week["period"], week["lines"]) == ("2010-W48", 2)
    for limit in (1, 2):
        rows = every_row(api, f"{MART}/revenue", **{**wednesday, "to": "2011-01-31", "limit": limit})
        assert [row["lines"] for row in rows] == [3, 1, 1]


def test_products_join_their_versions_and_show_the_current_description(api: TestClient) -> None:
    rows = every_row(api, f"{MART}/products", limit=1)
    groups = by_net(grouped(lambda line: line.stock_code))
    assert [row["stock_code"] for row in rows] == [code for code, _ in groups]
    for row, (code, lines) in zip(rows, groups, strict=True):
        returns = [line for line in lines if line.quantity < 0]
        names = {"85123A": "CREAM HANGING HEART", "22423": "REGENCY <CAKESTAND> & TRAY", "POST": "POSTAGE", "B": None}
        assert row == {
            "stock_code": code,
            "description": names[code],
            "net": net(lines),
            "sales_revenue": net(sales_of(lines)),
            "lines": len(lines),
            "sale_lines": len(sales_of(lines)),
            "units": sum(line.quantity for line in sales_of(lines)),
            "return_lines": len(returns),
            "returned_units": -sum(line.quantity for line in returns),
        }


def _customer(customer_id: str, lines: list[Line]) -> dict[str, Any]:
    sales = sales_of(lines)
    return {
        "customer_id": customer_id,
        "country": {"17850": "United Kingdom", "12583": "EIRE"}[customer_id],
        "orders": invoices(sales),
        "net": net(lines),
        "sales_revenue": net(sales),
        "lines": len(lines),
        "units": sum(line.quantity for line in sales),
        "first_purchase_date": str(min(line.at.date() for line in sales)),
        "last_purchase_date": str(max(line.at.date() for line in sales)),
    }


@pytest.mark.parametrize("limit", [1, 100])
def test_customers_join_their_versions_and_leave_guests_out(api: TestClient, limit: int) -> None:
    groups = grouped(lambda line: line.customer_id)
    del groups[None]
    expected = [_customer(name, lines) for name, lines in by_net(groups)]
    assert every_row(api, f"{MART}/customers", limit=limit) == expected


def test_one_customer_with_versions_and_months(api: TestClient) -> None:
    answer = api.get(f"{MART}/customers/12583").json()
    versions, months = answer.pop("versions"), answer.pop("months")
    assert answer == _customer("12583", [line for line in LINES if line.customer_id == "12583"])
    assert versions == [
        {"country": "France", "valid_from": "0001-01-01", "valid_to": "2011-01-31", "is_current": False},
        {"country": "EIRE", "valid_from": "2011-02-01", "valid_to": "9999-12-31", "is_current": True},
    ]
    assert [(month["period"], month["orders"], month["net"]["amount"]) for month in months] == [
        ("2010-12", 1, "25.5000"),
        ("2011-01", 2, "18.0040"),
        ("2011-02", 1, "25.5000"),
    ]


@pytest.mark.parametrize("name", ["nobody", "GUEST"])
def test_a_customer_who_is_not_there_is_a_404(api: TestClient, name: str) -> None:
    assert api.get(f"{MART}/customers/{name}").status_code == 404


def test_countries_count_the_lines_of_their_own(api: TestClient) -> None:
    rows = api.get(f"{MART}/countries").json()["data"]
    expected = [
        {
            "country": name,
            "iso_alpha2": COUNTRIES[name][1],
            "iso_alpha3": COUNTRIES[name][2],
            "region": COUNTRIES[name][3],
            "lines": len(lines),
            "sale_lines": len(sales_of(lines)),
            "sale_invoices": invoices(sales_of(lines)),
            "customers": customers(lines),
            "net": net(lines),
            "sales_revenue": net(sales_of(lines)),
        }
        for name, lines in by_net(grouped(lambda line: line.country))
    ]
    assert rows == expected


def test_an_empty_warehouse_answers_empty(empty_api: TestClient) -> None:
    overview = empty_api.get(f"{MART}/overview")
    assert overview.headers["x-data-version"] == "0"
    answer = overview.json()
    assert answer["publication"] == {"data_version": 0, "published_at": None}
    assert answer["net"] == {"amount": "0.0000", "currency": "GBP"}
    assert (answer["lines"], answer["first_date"], answer["average_quality_score"]) == (0, None, None)
    for path in ("revenue", "products", "customers", "countries"):
        assert empty_api.get(f"{MART}/{path}").json()["data"] == []
    assert empty_api.get("/api/v1/sales").json() == {"data": [], "next_cursor": None}
