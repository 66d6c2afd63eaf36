from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.gold.versions import CUSTOMERS, PRODUCTS, Dimension, key_at, moved_months, observe, versions
from tests.unit.pipelines.test_identity import plain_hash

FIRST, LAST = date(1, 1, 1), date(9999, 12, 31)
DAY = date(2011, 1, 28)


@dataclass(frozen=True)
class Line:
    """A silver line as far as a dimension sees it."""

    day: int
    value: str | None
    sale: bool = True
    natural: str | None = "k"

    @property
    def date(self) -> date:
        return DAY + timedelta(days=self.day)


def frame(lines: Sequence[Line], dimension: Dimension = PRODUCTS) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "invoice_date": [line.date for line in lines],
            "is_sale": [line.sale for line in lines],
            dimension.natural: [line.natural for line in lines],
            dimension.value: [line.value for line in lines],
        },
        schema={
            "invoice_date": pl.Date,
            "is_sale": pl.Boolean,
            dimension.natural: pl.String,
            dimension.value: pl.String,
        },
    )


def built(lines: Sequence[Line], dimension: Dimension = PRODUCTS) -> pl.DataFrame:
    return versions(observe(frame(lines, dimension), dimension), dimension)


def spans(lines: Sequence[Line]) -> list[tuple[Any, ...]]:
    columns = ("stock_code", "description", "valid_from", "valid_to", "is_current")
    return [tuple(row[name] for name in columns) for row in built(lines).to_dicts()]


def slow_versions(lines: Sequence[Line]) -> list[tuple[Any, ...]]:
    """Make the versions of every key as the design says it, line by line."""
    rows: list[tuple[Any, ...]] = []
    for key in sorted({line.natural for line in lines if line.natural is not None}):
        own = [line for line in lines if line.natural == key]
        said = [line for line in own if line.value and line.sale] or [line for line in own if line.value]
        changes: list[tuple[date, str | None]] = []
        for day in sorted({line.date for line in said}):
            counts = Counter(line.value for line in said if line.date == day)
            value = min(counts, key=lambda value: (-counts[value], str(value).encode()))
            if not changes or changes[-1][1] != value:
                changes.append((day, value))
        changes = changes or [(FIRST, None)]
        starts = [FIRST, *(day for day, _ in changes[1:])]
        ends = [*(day - timedelta(days=1) for day, _ in changes[1:]), LAST]
        rows += [
            (key, value, start, end, end == LAST)
            for (_, value), start, end in zip(changes, starts, ends, strict=True)
        ]  # fmt: skip
    return rows


lines_of = st.lists(
    st.builds(
        Line,
        day=st.integers(0, 5),
        value=st.sampled_from(["b", "a", "B", "é", "", None]),
        sale=st.booleans(),
        natural=st.sampled_from(["k", "l", "K", None]),
    ),
    max_size=25,
)


@given(lines_of)
@settings(max_examples=300, deadline=None)
def test_versions_are_those_of_a_slow_reading_line_by_line(lines: list[Line]) -> None:
    assert spans(lines) == slow_versions(lines)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([Line(0, "b"), Line(0, "a"), Line(0, "b")], [("b", FIRST, LAST)]),
        ([Line(0, "b"), Line(0, "a")], [("a", FIRST, LAST)]),
        ([Line(0, "a"), Line(1, "a"), Line(4, "a")], [("a", FIRST, LAST)]),
        ([Line(0, "a"), Line(3, "b")], [("a", FIRST, date(2011, 1, 30)), ("b", date(2011, 1, 31), LAST)]),
        ([Line(0, "a", sale=False), Line(0, "a", sale=False), Line(0, "b")], [("b", FIRST, LAST)]),
        ([Line(0, "a", sale=False)], [("a", FIRST, LAST)]),
        ([Line(0, ""), Line(1, None)], [(None, FIRST, LAST)]),
        ([Line(0, ""), Line(1, "a", sale=False)], [("a", FIRST, LAST)]),
        ([Line(0, "a"), Line(1, "", sale=True), Line(1, "b", sale=False)], [("a", FIRST, LAST)]),
    ],
)
def test_a_day_has_one_value(lines: list[Line], expected: list[tuple[str | None, date, date]]) -> None:
    assert [row[1:4] for row in spans(lines)] == expected


def test_no_line_makes_no_version_and_guests_make_none() -> None:
    assert spans([]) == spans([Line(0, "a", natural=None)]) == []
    assert built([], CUSTOMERS).columns[:3] == ["customer_key", "customer_id", "country"]


@given(lines_of, st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_observations_may_come_in_any_order_and_in_parts(lines: list[Line], rng: Any) -> None:
    whole = built(lines)
    shuffled = rng.sample(lines, len(lines))
    parts = [observe(frame(shuffled[at::3]), PRODUCTS) for at in range(3)]
    assert versions(pl.concat(parts), PRODUCTS).rows() == whole.rows()


@given(lines_of)
@settings(max_examples=50, deadline=None)
def test_keys_are_made_from_natural_key_and_first_day_alone(lines: list[Line]) -> None:
    for row in built(lines).to_dicts():
        digest = plain_hash(b"K", [row["stock_code"], row["valid_from"].isoformat()])
        assert row["product_key"] == int.from_bytes(digest[8:]) % 2**63


@given(lines_of, st.integers(0, 5))
@settings(max_examples=100, deadline=None)
def test_later_days_leave_the_keys_of_earlier_ones(lines: list[Line], last: int) -> None:
    """A key that has a priced sale that says something keeps its versions when days are added behind."""
    with_sale = {line.natural for line in lines if line.day <= last and line.sale and line.value}
    before = [line for line in lines if line.day <= last and line.natural in with_sale]
    days = frame([line for line in before if line.natural is not None])
    assert key_at(days, built(lines), PRODUCTS).to_list() == key_at(days, built(before), PRODUCTS).to_list()


@given(lines_of, lines_of)
@settings(max_examples=100, deadline=None)
def test_the_key_of_a_line_is_that_of_the_version_of_its_day(known: list[Line], asked: list[Line]) -> None:
    rows = built(known)
    found = key_at(frame(asked), rows, PRODUCTS).to_list()
    spans = rows.to_dicts()
    for line, key in zip(asked, found, strict=True):
        valid = [
            row["product_key"] for row in spans
            if row["stock_code"] == line.natural and row["valid_from"] <= line.date <= row["valid_to"]
        ]  # fmt: skip
        assert ([] if key is None else [key]) == valid


far = st.builds(
    Line, day=st.integers(0, 99), value=st.sampled_from(["a", "b"]), sale=st.booleans(), natural=st.sampled_from("kl")
)


@given(st.lists(far, max_size=20), st.lists(far, min_size=1, max_size=3))
@settings(max_examples=150, deadline=None)
def test_exactly_the_months_whose_keys_change_are_moved(lines: list[Line], late: list[Line]) -> None:
    old, new = built(lines), built([*lines, *late])
    everything = [*lines, *late]
    before, after = (key_at(frame(everything), rows, PRODUCTS).to_list() for rows in (old, new))
    expected = {
        f"{line.date:%Y-%m}" for line, was, now in zip(everything, before, after, strict=True) if was != now
    }  # fmt: skip
    assert moved_months(observe(frame(everything), PRODUCTS), old, new, PRODUCTS) == sorted(expected)


def test_a_late_line_moves_only_the_months_behind_it_up_to_the_next_version() -> None:
    lines = [Line(0, "a"), Line(40, "a"), Line(80, "c"), Line(0, "z", natural="other")]
    late = [*lines, Line(35, "b")]
    moved = moved_months(observe(frame(late), PRODUCTS), built(lines), built(late), PRODUCTS)
    assert moved == ["2011-03"]
    assert moved_months(observe(frame(lines), PRODUCTS), built(lines), built(lines), PRODUCTS) == []
