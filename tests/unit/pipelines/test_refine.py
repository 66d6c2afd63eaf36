import random
from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from pipelines.identity import field_of, hash_fields, hash_total
from pipelines.refine import buckets_of, refine_batch
from tests.unit.pipelines.bronze_cells import GOOD, bronze_of
from tests.unit.pipelines.test_rules import lines

ZONE = "Europe/London"


def thousand_lines() -> pl.DataFrame:
    rng = random.Random(5)
    drawn = [
        {
            "invoice_no": rng.choice(["536365", "C536366", "A1", ""]),
            "stock_code": f"{rng.choice(['a', 'B'])}{rng.randrange(9)}",
            "quantity": rng.choice(["1", "-2", "0", "x"]),
            "invoice_date": rng.choice(["2010-12-01 08:26", "13/1/2011", "1/13/2011", "2/3/2011", ""]),
            "unit_price": rng.choice(["1.5", "0", "-1", "0.12345", "?"]),
            "country": rng.choice(["France", "Atlantis"]),
        }
        for _ in range(1001)
    ]
    return bronze_of(drawn)


def refined_in(batch: pl.DataFrame, rows: int) -> tuple[pl.DataFrame, pl.DataFrame, list[int]]:
    """Refine in batches of `rows`; give accepted and rejected in order of line, and the counts of date orders."""
    parts = [refine_batch(piece, "month_first", ZONE) for piece in batch.iter_slices(rows)]
    accepted, rejected = (pl.concat([getattr(part, name) for part in parts]) for name in ("accepted", "rejected"))
    counts = [(part.only_day_first, part.only_month_first, part.slash_dates) for part in parts]
    return accepted.sort("row_number"), rejected.sort("row_number"), [sum(count) for count in zip(*counts, strict=True)]


def whole_hash(frame: pl.DataFrame) -> int:
    return hash_total(hash_fields([field_of(frame[name]) for name in sorted(frame.columns)], b""))


@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_the_result_does_not_depend_on_the_size_of_batches(rows: int) -> None:
    batch = thousand_lines().head(150 if rows == 1 else 1001)
    whole = refined_in(batch, 10**6)
    cut = refined_in(batch, rows)
    assert_frame_equal(cut[0], whole[0])
    assert_frame_equal(cut[1], whole[1])
    assert cut[2] == whole[2]
    assert whole[0].height > 5
    assert whole[1].height > 5
    assert all(whole[2])


def test_the_result_does_not_depend_on_the_order_of_lines() -> None:
    batch = thousand_lines()
    whole = refine_batch(batch, "month_first", ZONE)
    shuffled = refine_batch(batch.sample(fraction=1, shuffle=True, seed=1), "month_first", ZONE)
    for before, after in ((whole.accepted, shuffled.accepted), (whole.rejected, shuffled.rejected)):
        assert before["row_number"].to_list() != after["row_number"].to_list()
        assert whole_hash(before) == whole_hash(after)


@given(st.lists(lines, max_size=12))
@settings(max_examples=100, deadline=None)
def test_every_line_is_either_accepted_or_rejected(drawn: list[dict[str, str]]) -> None:
    refined = refine_batch(bronze_of(drawn), "month_first", ZONE)
    found = sorted([*refined.accepted["row_number"], *refined.rejected["row_number"]])
    assert found == list(range(2, 2 + len(drawn)))
    assert refined.accepted.schema == refine_batch(bronze_of([{}]), "month_first", ZONE).accepted.schema


def test_an_accepted_line_carries_exact_values_and_where_it_came_from() -> None:
    row = refine_batch(bronze_of([{"unit_price": "0.123", "quantity": "-3"}]), "month_first", ZONE).accepted.row(
        0, named=True
    )
    assert row["unit_price"].as_tuple() == Decimal("0.1230").as_tuple()
    assert row["total_amount"].as_tuple() == Decimal("-0.3690").as_tuple()
    assert (row["invoice_ts"], str(row["invoice_date"])) == (datetime(2010, 12, 1, 8, 26), "2010-12-01")
    assert (row["invoice_month"], row["invoice_key"], row["row_id"]) == ("2010-12", "536365", "f" * 16 + ":2")


def test_a_rejected_line_keeps_its_cells_as_received() -> None:
    cells = {**GOOD, "invoice_no": " c1 ", "stock_code": "", "quantity": " 6.0", "unit_price": "+2.5"}
    row = refine_batch(bronze_of([cells]), "month_first", ZONE).rejected.row(0, named=True)
    assert {name: row[name] for name in GOOD} == cells
    assert (row["invoice_key"], row["amount"]) == ("C1", Decimal("15.0000"))


@pytest.mark.parametrize(("zone", "future"), [("Europe/London", False), ("Pacific/Honolulu", True)])
def test_the_future_begins_when_the_shops_clock_says_so(zone: str, future: bool) -> None:
    instant = pl.lit(datetime(2011, 7, 1, 12, tzinfo=UTC), pl.Datetime("us", "UTC"))
    batch = bronze_of([{"invoice_date": "2011-07-01 13:00:00"}]).with_columns(ingested_at=instant)
    assert (refine_batch(batch, "month_first", zone).accepted["warnings"][0] > 0) == future


def test_extra_columns_of_a_source_are_no_business_of_silver() -> None:
    batch = bronze_of([{}])
    extra = batch.with_columns(errors=pl.lit("x"), line_hash=pl.lit("y"), warnings=pl.lit("z"))
    assert_frame_equal(
        refine_batch(extra, "month_first", ZONE).accepted, refine_batch(batch, "month_first", ZONE).accepted
    )


@given(st.lists(st.text(max_size=5)), st.integers(1, 9))
@settings(max_examples=100, deadline=None)
def test_equal_invoices_fall_into_one_bucket(invoices: list[str], buckets: int) -> None:
    found = buckets_of(pl.Series(invoices, dtype=pl.String), buckets).to_list()
    assert all(0 <= bucket < buckets for bucket in found)
    assert found == [buckets_of(pl.Series([invoice]), buckets)[0] for invoice in invoices]
