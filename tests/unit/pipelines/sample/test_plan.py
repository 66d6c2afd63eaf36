from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.sample.plan import FILE_LINES, Delivery, plan_sample, stated_counts

START = date(2023, 1, 2)


def size(delivery: Delivery) -> int:
    return sum(day.lines for day in delivery.days)


@settings(max_examples=60, deadline=None)
@given(st.integers(1_000, 3_000_000), st.integers(0, 2**32))
def test_every_line_and_every_stated_fault_is_planned_once(lines: int, seed: int) -> None:
    plan = plan_sample(lines, seed, START)
    days = [day for delivery in plan for day in delivery.days]
    assert sum(day.lines * (2 if day.again else 1) for day in days) == lines
    assert {kind: sum(d.stated[kind] for d in plan) for kind in plan[0].stated} == stated_counts(lines)
    assert len({delivery.name for delivery in plan}) == len(plan)
    assert [day.day for day in days] == sorted({day.day for day in days})
    assert {day.again for day in days} == {"", "same", "other"}
    assert min(day.lines for day in days) > 40


@settings(max_examples=20, deadline=None)
@given(st.integers(1_000, 300_000), st.integers(0, 99))
def test_invoice_numbers_of_files_never_meet(lines: int, seed: int) -> None:
    plan = plan_sample(lines, seed, START)
    assert all(one.first_invoice + size(one) <= next_one.first_invoice for one, next_one in pairwise(plan))


def test_the_shop_is_closed_on_saturdays_and_at_christmas() -> None:
    days = [day.day for delivery in plan_sample(200_000, 3, START) for day in delivery.days]
    assert len(days) == 600
    assert {day.weekday() for day in days} == {0, 1, 2, 3, 4, 6}
    assert not {date(2023, 12, 25), date(2023, 12, 26), date(2024, 1, 1)} & set(days)
    assert days[0] == START
    assert days[-1] < date(2025, 1, 1)


def test_november_is_the_peak_and_sunday_the_quietest_day() -> None:
    days = [day for delivery in plan_sample(2_000_000, 3, START) for day in delivery.days if day.day.year == 2023]
    by_month = {month: sum(d.lines for d in days if d.day.month == month) for month in range(1, 13)}
    assert max(by_month, key=lambda month: by_month[month]) == 11
    assert by_month[11] > 2 * by_month[2]
    by_weekday = {w: [d.lines for d in days if d.day.weekday() == w] for w in (0, 1, 2, 3, 4, 6)}
    means = {weekday: sum(sizes) / len(sizes) for weekday, sizes in by_weekday.items()}
    assert min(means, key=lambda weekday: means[weekday]) == 6


@pytest.mark.parametrize(
    ("lines", "fewest", "most", "name"),
    [
        (2_000, 5, 14, "sales_2023-01-02.csv"),
        (8_000, 5, 14, "sales_2023-W01.csv"),
        (100_000, 15, 40, "sales_2023-01.csv"),
        (10_000_000, 24, 60, "sales_2023-01.csv"),
    ],
)
def test_files_are_days_weeks_or_months_of_a_sensible_size(lines: int, fewest: int, most: int, name: str) -> None:
    plan = plan_sample(lines, 1, START)
    assert fewest <= len(plan) <= most
    assert plan[0].name == name
    assert max(size(delivery) for delivery in plan) <= FILE_LINES
    assert any(delivery.name.endswith(".csv.gz") for delivery in plan)
