"""The API's answers from marts on the real year, against the figures that others computed and the counts they show."""

from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from ray_apps.session import Run
from tests.contract.api.figures import decimals
from tests.flow.conftest import Shop
from tests.flow.test_real_data import amount, expected, money, pages, sql

MART = "/api/v1/datamart"


def _ratio(part: int | Decimal, whole: int | Decimal, places: int = 4) -> str:
    exact = Fraction(part) / Fraction(whole)
    return decimals(Decimal(exact.numerator) / Decimal(exact.denominator), places)


def test_trends(real_api: TestClient, real_data: Path) -> None:
    rows = real_api.get(f"{MART}/trends").json()["data"]
    wanted = {
        row["ym"]: (money(row["sales_revenue"]), int(row["active_customers"])) for row in expected(real_data, "monthly")
    }
    assert {row["month"]: (amount(row["sales_revenue"]), row["active_customers"]) for row in rows} == wanted
    net: dict[str, Decimal] = defaultdict(Decimal)
    units: dict[str, int] = defaultdict(int)
    for day in expected(real_data, "daily"):
        net[day["sale_day"][:7]] += money(day["net_all_lines"])
        units[day["sale_day"][:7]] += int(money(day["units"]))
    assert {row["month"]: (amount(row["net"]), row["units"]) for row in rows} == {
        month: (net[month], units[month]) for month in wanted
    }
    assert sum(row["lines"] for row in rows) == 541_909
    names = list(wanted)
    for place, row in enumerate(rows):
        base = wanted[names[place - 1]][0] if place else None
        year = wanted[names[place - 12]][0] if place >= 12 else None
        assert row["sales_revenue_change"] == {
            "on_previous_month": base and _ratio(amount(row["sales_revenue"]) - base, base),
            "on_previous_year": year and _ratio(amount(row["sales_revenue"]) - year, year),
        }
    assert [row["month"] for row in rows if not row["complete"]] == ["2011-12"]


def test_cohorts(real_api: TestClient, real_data: Path) -> None:
    wanted = {
        (row["cohort"], int(row["month_index"])): (int(row["active_customers"]), money(row["revenue"]))
        for row in expected(real_data, "cohort")
    }
    cohorts = real_api.get(f"{MART}/cohorts").json()["data"]
    answered: dict[tuple[str, int], Any] = {}
    for cohort in cohorts:
        assert cohort["size"] == wanted[cohort["cohort"], 0][0]
        running = Decimal(0)
        for month in cohort["months"]:
            running += amount(month["revenue"])
            assert amount(month["cumulative_revenue"]) == running
            assert month["retention"] == _ratio(month["active_customers"], cohort["size"])
            assert month["complete"] == (month["month"] != "2011-12")
            answered[cohort["cohort"], month["month_index"]] = (month["active_customers"], amount(month["revenue"]))
    assert answered == wanted


def test_segments_share_out_all_buyers(real_api: TestClient, real_data: Path) -> None:
    buyers = expected(real_data, "rfm")
    answer = real_api.get(f"{MART}/segments").json()
    assert answer["as_of"] == "2011-12-10"
    rows = answer["data"]
    assert sum(row["customers"] for row in rows) == len(buyers)
    assert sum(amount(row["revenue"]) for row in rows) == sum(Decimal(buyer["monetary"]) for buyer in buyers)
    for name, column in (("average_recency_days", "recency_days"), ("average_frequency", "frequency")):
        # Each average is rounded to four decimals.
        total = sum(Decimal(row[name]) * row["customers"] for row in rows)
        assert abs(total - sum(int(buyer[column]) for buyer in buyers)) <= Decimal("0.00005") * len(buyers)
    assert len({row["segment"] for row in rows}) == len(rows) > 5
    assert all(row["description"] for row in rows)


def test_baskets_list_every_pair_once_in_order(real_shop: tuple[Shop, Run], real_api: TestClient) -> None:
    shop, _ = real_shop
    counts = {
        (code_a, code_b): tuple(some)
        for code_a, code_b, *some in sql(
            shop, "SELECT code_a, code_b, pair_count, a_count, b_count, total_count FROM gold.basket_pairs"
        )
    }
    assert len(counts) > 1000
    for sort in ("lift", "support", "leverage"):
        rows = list(pages(real_api, f"{MART}/baskets", sort=sort))
        keys = [(-Decimal(row[sort]), row["code_a"], row["code_b"]) for row in rows]
        assert keys == sorted(keys)
        assert {
            (row["code_a"], row["code_b"]): tuple(row[f"{name}_count"] for name in ("pair", "a", "b", "total"))
            for row in rows
        } == counts
        assert len(rows) == len(counts)
    for row in rows:
        pair, a, b, total = counts[row["code_a"], row["code_b"]]
        assert row["lift"] == _ratio(pair * total, a * b, 10)
        assert row["leverage"] == _ratio(pair * total - a * b, total * total, 10)
