"""Segments, months, cohorts and pairs against figures worked out in Python from the same lines."""

import csv
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient

import warehouse_sql
from tests.contract.api.conftest import MakeClient
from tests.contract.api.figures import (
    MART,
    by_net,
    customers,
    decimals,
    every_row,
    grouped,
    money,
    net,
    sales_of,
    total,
)
from tests.contract.api.postgres import Postgres
from tests.contract.api.shop import LINES, PRODUCTS, TWO_YEARS, Line, load_shop, pairs_of_products

SEED = Path(warehouse_sql.__path__[0]) / "dbt/seeds/rfm_segments.csv"
CURRENT = {"85123A": "CREAM HANGING HEART", "22699": "ROSES TEACUP & SAUCER"}
NAMES = {code: CURRENT.get(code, name) for code, name, *_ in PRODUCTS.values()}
MEASURES = ("lift", "support", "leverage")
PATHS = [f"{MART}/{name}" for name in ("segments", "trends", "cohorts", "products")]

Shops = dict[str, tuple[TestClient, Sequence[Line]]]


@pytest.fixture(scope="module")
def years_api(server: Postgres, make_client: MakeClient) -> TestClient:
    url = server.make_database("two_years")
    load_shop(url, TWO_YEARS)
    return make_client(url)


@pytest.fixture(scope="module")
def shops(api: TestClient, years_api: TestClient) -> Shops:
    return {"months": (api, LINES), "years": (years_api, TWO_YEARS)}


both = pytest.mark.parametrize("name", ["months", "years"])


def _ratio(part: Decimal | int, whole: Decimal | int, places: int = 4) -> str:
    exact = Fraction(part) / Fraction(whole)
    return decimals(Decimal(exact.numerator) / Decimal(exact.denominator), places)


def _month_after(month: date, count: int = 1) -> date:
    place = month.year * 12 + month.month - 1 + count
    return date(place // 12, place % 12 + 1, 1)


def _months(first: date, last: date) -> list[date]:
    return [] if first > last else [first, *_months(_month_after(first), last)]


def _is_complete(month: date, lines: Sequence[Line]) -> bool:
    days = [line.at.date() for line in lines]
    return min(days) <= month and max(days) >= _month_after(month) - timedelta(days=1)


# --- segments


def _scores(values: Sequence[Any]) -> list[int]:
    return [1 + 5 * sum(other < value for other in values) // len(values) for value in values]


def _expected_segments(lines: Sequence[Line]) -> tuple[date, list[dict[str, Any]]]:
    with SEED.open(newline="") as file:
        seed = {(int(row["recency_score"]), int(row["frequency_score"])): row for row in csv.DictReader(file)}
    as_of = max(line.at.date() for line in lines) + timedelta(days=1)
    bought = [group for name, group in grouped(lambda line: line.customer_id, sales_of(lines)).items() if name]
    last_days = [max(line.at.date() for line in group) for group in bought]
    orders = [len({line.invoice_no for line in group}) for group in bought]
    members: dict[str, list[tuple[int, int, Decimal]]] = defaultdict(list)
    texts = {}
    for group, day, frequency, *scores in zip(
        bought, last_days, orders, _scores(last_days), _scores(orders), strict=True
    ):
        row = seed[scores[0], scores[1]]
        members[row["segment"]].append(((as_of - day).days, frequency, total(group)))
        texts[row["segment"]] = row["description"]
    everything = sum((total(group) for group in bought), Decimal(0))
    rows = []
    for name, some in sorted(members.items(), key=lambda item: (-sum(each[2] for each in item[1]), item[0])):
        revenue = sum((each[2] for each in some), Decimal(0))
        rows.append(
            {
                "segment": name,
                "description": texts[name],
                "customers": len(some),
                "share_of_customers": _ratio(len(some), len(bought)),
                "revenue": money(revenue),
                "share_of_revenue": _ratio(revenue, everything),
                "average_recency_days": _ratio(sum(each[0] for each in some), len(some)),
                "average_frequency": _ratio(sum(each[1] for each in some), len(some)),
                "average_monetary": {"amount": _ratio(revenue, len(some)), "currency": "GBP"},
            }
        )
    return as_of, rows


@both
def test_segments_describe_their_customers(shops: Shops, name: str) -> None:
    api, lines = shops[name]
    as_of, rows = _expected_segments(lines)
    assert api.get(f"{MART}/segments").json() == {"as_of": str(as_of), "data": rows}
    assert sum(row["customers"] for row in rows) == customers(sales_of(lines))
    assert len(rows) > 1


# --- trends


def _change(figures: dict[date, Decimal], month: date) -> dict[str, str | None]:
    def on(base: Decimal | None) -> str | None:
        return _ratio(figures[month] - base, abs(base)) if base else None

    return {
        "on_previous_month": on(figures.get(_month_after(month, -1))),
        "on_previous_year": on(figures.get(_month_after(month, -12))),
    }


@both
def test_trends_follow_every_month(shops: Shops, name: str) -> None:
    api, lines = shops[name]
    by_month = grouped(lambda line: line.month, lines)
    months = _months(min(by_month), max(by_month))
    all_net = {month: total(by_month.get(month, [])) for month in months}
    revenue = {month: total(sales_of(by_month.get(month, []))) for month in months}
    expected = [
        {
            "month": f"{month:%Y-%m}",
            "complete": _is_complete(month, lines),
            "sales_revenue": money(revenue[month]),
            "sales_revenue_change": _change(revenue, month),
            "net": money(all_net[month]),
            "net_change": _change(all_net, month),
            "units": sum(line.quantity for line in sales_of(by_month.get(month, []))),
            "lines": len(by_month.get(month, [])),
            "active_customers": customers(sales_of(by_month.get(month, []))),
        }
        for month in months
    ]
    assert api.get(f"{MART}/trends").json()["data"] == expected


def test_trends_compare_with_what_is_there(years_api: TestClient) -> None:
    """The cases that the shop holds, by hand: no base, a base of 0, a base below 0, an empty month, the newest one."""
    months = {row["month"]: row for row in years_api.get(f"{MART}/trends").json()["data"]}
    assert months["2010-12"]["net_change"] == {"on_previous_month": None, "on_previous_year": None}
    assert (months["2011-05"]["lines"], months["2011-05"]["net"]["amount"]) == (0, "0.0000")
    assert months["2011-05"]["net_change"]["on_previous_month"] == "-1.0000"
    assert months["2011-06"]["net_change"]["on_previous_month"] is None
    assert (months["2011-03"]["net"]["amount"], months["2011-03"]["sales_revenue"]["amount"]) == ("-25.5000", "0.0000")
    assert months["2011-04"]["net_change"]["on_previous_month"] == "1.3922"
    assert months["2011-04"]["sales_revenue_change"]["on_previous_month"] is None
    assert months["2012-03"]["net_change"]["on_previous_year"] == "1.2588"
    assert [name for name, row in months.items() if not row["complete"]] == ["2012-03"]


def test_a_first_month_that_begins_late_is_not_complete(server: Postgres, make_client: MakeClient) -> None:
    url = server.make_database("late_start")
    late = [line for line in LINES if line.at.date() > date(2010, 12, 1)]
    load_shop(url, late)
    api = make_client(url)
    trends = api.get(f"{MART}/trends").json()["data"]
    assert [row["month"] for row in trends if not row["complete"]] == ["2010-12", "2011-08"]
    months = {row["month"]: row["complete"] for row in trends}
    for cohort in api.get(f"{MART}/cohorts").json()["data"]:
        assert all(row["complete"] == months[row["month"]] for row in cohort["months"])


# --- cohorts


@both
def test_cohorts_show_every_month_since(shops: Shops, name: str) -> None:
    api, lines = shops[name]
    last = max(line.month for line in lines)
    first_months: dict[str, date] = {}
    for line in sorted(sales_of(lines), key=lambda line: line.at):
        if line.customer_id:
            first_months.setdefault(line.customer_id, line.month)
    expected: list[dict[str, Any]] = []
    for cohort in sorted(set(first_months.values())):
        bought = [line for line in sales_of(lines) if line.customer_id and first_months[line.customer_id] == cohort]
        size, months = customers(bought), []
        for index, month in enumerate(_months(cohort, last)):
            active = customers(line for line in bought if line.month == month)
            months.append(
                {
                    "month_index": index,
                    "month": f"{month:%Y-%m}",
                    "complete": _is_complete(month, lines),
                    "active_customers": active,
                    "retention": _ratio(active, size),
                    "revenue": net(line for line in bought if line.month == month),
                    "cumulative_revenue": net(line for line in bought if line.month <= month),
                }
            )
        expected.append({"cohort": f"{cohort:%Y-%m}", "size": size, "months": months})
    assert api.get(f"{MART}/cohorts").json() == {"data": expected}
    assert "0.0000" in [month["retention"] for month in expected[0]["months"]]


# --- baskets


def _expected_pairs(lines: Sequence[Line]) -> list[dict[str, Any]]:
    return [
        {
            "code_a": a,
            "description_a": NAMES[a],
            "code_b": b,
            "description_b": NAMES[b],
            "pair_count": both_count,
            "a_count": a_count,
            "b_count": b_count,
            "total_count": all_count,
            "support": _ratio(both_count, all_count, 10),
            "confidence_a_to_b": _ratio(both_count, a_count, 10),
            "confidence_b_to_a": _ratio(both_count, b_count, 10),
            "lift": _ratio(both_count * all_count, a_count * b_count, 10),
            "leverage": _ratio(both_count * all_count - a_count * b_count, all_count**2, 10),
        }
        for a, b, both_count, a_count, b_count, all_count in pairs_of_products(lines)
    ]


def _by(measure: str, pairs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(pairs, key=lambda pair: (-Decimal(pair[measure]), pair["code_a"], pair["code_b"]))


@both
@pytest.mark.parametrize("sort", [None, *MEASURES])
@pytest.mark.parametrize("limit", [1, 2, 1000])
def test_pairs_by_every_measure_and_page(shops: Shops, name: str, sort: str | None, limit: int) -> None:
    api, lines = shops[name]
    query = {"limit": limit} | ({"sort": sort} if sort else {})
    assert every_row(api, f"{MART}/baskets", **query) == _by(sort or "lift", _expected_pairs(lines))


def test_the_shop_has_pairs_that_tie_and_orders_that_differ() -> None:
    """Else the paging above would show nothing."""
    pairs = _expected_pairs(TWO_YEARS)
    orders = {sort: [(pair["code_a"], pair["code_b"]) for pair in _by(sort, pairs)] for sort in MEASURES}
    assert orders["lift"] != orders["support"]
    assert all(len({pair[sort] for pair in pairs}) < len(pairs) for sort in MEASURES)


@pytest.mark.parametrize("code", ["22697", "22699", " 85123a ", "POST", "nothing"])
@pytest.mark.parametrize("sort", MEASURES)
def test_pairs_of_one_product_on_either_side(years_api: TestClient, code: str, sort: str) -> None:
    expected = [pair for pair in _expected_pairs(TWO_YEARS) if code.strip().upper() in (pair["code_a"], pair["code_b"])]
    assert every_row(years_api, f"{MART}/baskets", stock_code=code, sort=sort, limit=1) == _by(sort, expected)


@pytest.mark.parametrize("least", ["0", "1", "1.1428571429", "1.142857143", "1e1"])
def test_pairs_of_at_least_a_lift(years_api: TestClient, least: str) -> None:
    expected = [pair for pair in _expected_pairs(TWO_YEARS) if Decimal(pair["lift"]) >= Decimal(least)]
    assert every_row(years_api, f"{MART}/baskets", min_lift=least, limit=2) == _by("lift", expected)


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("sort=net", "query.sort"),
        ("sort=", "query.sort"),
        ("stock_code=", "query.stock_code"),
        ("min_lift=", "query.min_lift"),
        ("min_lift=-0.1", "query.min_lift"),
        ("min_lift=much", "query.min_lift"),
        ("min_lift=NaN", "query.min_lift"),
        ("min_lift=Infinity", "query.min_lift"),
        ("min_lift=1e999999", "query.min_lift"),
        ("min_lift=1.00000000001", "query.min_lift"),
        ("limit=0", "query.limit"),
        ("limit=1001", "query.limit"),
    ],
)
def test_wrong_values_of_baskets_are_refused_by_name(years_api: TestClient, query: str, where: str) -> None:
    answer = years_api.get(f"{MART}/baskets?{query}")
    assert answer.status_code == 422
    assert [fault["where"] for fault in answer.json()["errors"]] == [where]


def test_a_cursor_of_another_order_is_refused(years_api: TestClient) -> None:
    cursor = years_api.get(f"{MART}/baskets?limit=1&sort=lift").json()["next_cursor"]
    for query in ("sort=support", "sort=lift&min_lift=1", "sort=lift&stock_code=22697"):
        answer = years_api.get(f"{MART}/baskets?{query}&cursor={cursor}")
        assert (answer.status_code, answer.json()["type"]) == (400, "urn:retail:problem:request")


# --- products, which are read from months


def test_products_add_up_their_months(years_api: TestClient) -> None:
    rows = every_row(years_api, f"{MART}/products", limit=2)
    expected = by_net(grouped(lambda line: line.stock_code, TWO_YEARS))
    assert [(row["stock_code"], row["net"], row["description"]) for row in rows] == [
        (code, net(lines), NAMES[code]) for code, lines in expected
    ]


# --- empty, missing, deployed anew


def test_an_empty_warehouse_has_empty_marts(empty_api: TestClient) -> None:
    assert empty_api.get(f"{MART}/segments").json() == {"as_of": None, "data": []}
    assert empty_api.get(f"{MART}/trends").json() == {"data": []}
    assert empty_api.get(f"{MART}/cohorts").json() == {"data": []}
    assert empty_api.get(f"{MART}/baskets").json() == {"data": [], "next_cursor": None}


@pytest.mark.parametrize(
    "state",
    [
        "DELETE FROM ops.mart_deployments",
        "DROP TABLE ops.mart_deployments",
        "DROP SCHEMA marts CASCADE",
        "REFRESH MATERIALIZED VIEW marts.mv_customer_rfm WITH NO DATA;"
        "REFRESH MATERIALIZED VIEW marts.mv_customer_cohorts WITH NO DATA;"
        "REFRESH MATERIALIZED VIEW marts.mv_country_revenue WITH NO DATA;"
        "REFRESH MATERIALIZED VIEW marts.mv_product_revenue WITH NO DATA",
    ],
)
def test_missing_marts_are_a_503_with_the_remedy_and_the_rest_answers(
    server: Postgres, make_client: MakeClient, state: str
) -> None:
    url = server.make_database(f"missing_{abs(hash(state))}")
    load_shop(url)
    with psycopg.connect(url) as connection:
        connection.execute(state.encode())
    api = make_client(url)
    for path in PATHS:
        answer = api.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json"), path
        assert answer.json()["type"] == "urn:retail:problem:marts-missing"
        assert "retail run" in answer.json()["remedy"]
        assert int(answer.headers["retry-after"]) > 0
        assert "etag" not in answer.headers
    for name in ("overview", "revenue", "customers", "countries", "baskets"):
        assert api.get(f"{MART}/{name}").json()
        assert api.get(f"{MART}/{name}").status_code == 200


def test_a_warehouse_that_was_never_deployed_answers_the_rest(server: Postgres, make_client: MakeClient) -> None:
    api = make_client(server.make_database("never_deployed", deployed=False))
    assert [api.get(path).status_code for path in PATHS] == [503] * len(PATHS)
    assert api.get(f"{MART}/overview").status_code == 200
    assert api.get("/health/ready").status_code == 200


def test_a_deployment_ends_copies_of_what_it_may_have_changed(server: Postgres, make_client: MakeClient) -> None:
    url = server.make_database("deployed_again")
    load_shop(url)
    api = make_client(url)
    tags = {path: api.get(path).headers["etag"] for path in [*PATHS, f"{MART}/overview"]}
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO ops.mart_deployments SELECT deployment_id + 1, now(), 'other', '{}' FROM ops.mart_deployments "
            "ORDER BY deployment_id DESC LIMIT 1"
        )
    answers = {path: api.get(path, headers={"If-None-Match": tag}).status_code for path, tag in tags.items()}
    assert answers == {**dict.fromkeys(PATHS, 200), f"{MART}/overview": 304}
