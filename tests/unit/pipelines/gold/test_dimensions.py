from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.delta_sink import read_files, write_file
from cluster.storage import Storage
from pipelines.gold.dimensions import ObserveItem, VersionsItem, build_versions, dates, observe_files
from pipelines.gold.versions import CUSTOMERS, PRODUCTS, Dimension, observe, versions
from pipelines.tasks import Row
from warehouse_sql.tables.arrow import arrow_schema
from warehouse_sql.tables.gold import DIM_CUSTOMERS, DIM_DATE, DimCustomer, DimDate, DimProduct
from warehouse_sql.tables.silver import TRANSACTIONS


def silver(*lines: tuple[str, str | None, str, str, str]) -> pl.DataFrame:
    """Give priced sale lines: day, customer, country, code, description."""
    columns = ["invoice_date", "customer_id", "country", "stock_code", "description"]
    frame = pl.DataFrame(lines, schema=dict.fromkeys(columns, pl.String), orient="row")
    return frame.with_columns(pl.col("invoice_date").str.to_date(), is_sale=pl.lit(value=True))


JANUARY = silver(
    ("2011-01-10", "1", "France", "A", "OLD"),
    ("2011-01-11", "2", "Spain", "B", "SAME"),
    ("2011-01-12", None, "Italy", "A", "OLD"),
)
MARCH = silver(("2011-03-10", "1", "Spain", "A", "NEW"), ("2011-03-10", "3", "Spain", "B", "SAME"))


class Gold:
    """Builds dimensions from silver files in a folder, bucket by bucket."""

    def __init__(self, folder: Path, buckets: int) -> None:
        self.storage = Storage(str(folder))
        self.buckets = buckets
        self.rounds = 0

    def build(self, dimension: Dimension, files: list[pl.DataFrame], old: list[str]) -> tuple[list[Row], list[str]]:
        self.rounds += 1
        root = self.storage.table_uri(TRANSACTIONS)
        uris = [
            f"{root}/{write_file(self.storage, TRANSACTIONS, f'{self.rounds}-{n}', frame).path}"
            for n, frame in enumerate(files)
        ]
        observed = [
            observe_files(
                self.storage, ObserveItem((uri,), f"{self.storage.root}/seen-{self.rounds}-{n}", self.buckets)
            )
            for n, uri in enumerate(uris)
        ]
        rows = [
            build_versions(
                self.storage,
                VersionsItem(
                    dimension, bucket, self.buckets,
                    tuple(row["scratch"][dimension.table][bucket] for row in observed),
                    tuple(old), f"{self.rounds}-{bucket}",
                ),
            )
            for bucket in range(self.buckets)
        ]  # fmt: skip
        return rows, [f"{self.storage.table_uri(dimension.table)}/{row['file'].path}" for row in rows]

    def rows(self, uris: list[str], dimension: Dimension) -> list[tuple[object, ...]]:
        return read_files(self.storage, uris).sort(dimension.natural, "valid_from").rows()


@pytest.fixture(params=[1, 3])
def gold(tmp_path: Path, request: pytest.FixtureRequest) -> Gold:
    return Gold(tmp_path, request.param)


@pytest.mark.parametrize("dimension", [CUSTOMERS, PRODUCTS])
def test_buckets_together_are_the_dimension(gold: Gold, dimension: Dimension) -> None:
    rows, uris = gold.build(dimension, [JANUARY, MARCH], [])
    expected = versions(observe(pl.concat([JANUARY, MARCH]), dimension), dimension).rows()
    found = gold.rows(uris, dimension)
    guests = [row for row in found if row[0] == -1]
    assert sorted(map(str, found)) == sorted(map(str, [*guests, *expected]))
    assert len(guests) == (dimension is CUSTOMERS)
    assert any(row["changed"] for row in rows)
    assert [row["months"] for row in rows] == [[]] * gold.buckets


@pytest.mark.parametrize("dimension", [CUSTOMERS, PRODUCTS])
def test_the_same_silver_again_changes_nothing(gold: Gold, dimension: Dimension) -> None:
    _, old = gold.build(dimension, [JANUARY, MARCH], [])
    rows, new = gold.build(dimension, [MARCH, JANUARY], old)
    assert not any(row["changed"] for row in rows)
    assert gold.rows(new, dimension) == gold.rows(old, dimension)


def test_a_late_file_says_which_months_of_facts_move(gold: Gold) -> None:
    _, old = gold.build(PRODUCTS, [JANUARY, MARCH], [])
    late = silver(("2011-02-01", "1", "France", "A", "NEW"))
    rows, _ = gold.build(PRODUCTS, [JANUARY, MARCH, late], old)
    assert sorted(month for row in rows for month in row["months"]) == ["2011-02", "2011-03"]
    assert sum(row["changed"] for row in rows) == 1


def test_a_dimension_of_guests_alone_is_the_reserved_member(gold: Gold) -> None:
    _, uris = gold.build(CUSTOMERS, [silver(("2011-01-10", None, "France", "A", "X"))], [])
    row = (-1, "GUEST", "Unspecified", date(1, 1, 1), date(9999, 12, 31), True)
    assert gold.rows(uris, CUSTOMERS) == [row]


@pytest.mark.parametrize(("dimension", "model"), [(CUSTOMERS, DimCustomer), (PRODUCTS, DimProduct)])
def test_rows_have_the_columns_and_types_of_their_table(
    gold: Gold, dimension: Dimension, model: type[DimCustomer] | type[DimProduct]
) -> None:
    _, uris = gold.build(dimension, [JANUARY], [])
    schema = pl.DataFrame(pl.from_arrow(arrow_schema(model).empty_table())).schema
    assert read_files(gold.storage, uris).schema == schema
    assert dimension.table in (DIM_CUSTOMERS, "gold.dim_products")


@given(st.integers(1900, 2995), st.integers(0, 3))
@settings(max_examples=25, deadline=None)
def test_dim_date_has_every_day_of_every_year_with_sales(year: int, more: int) -> None:
    rows = dates([f"{year + more}-03", f"{year}-11"]).to_dicts()
    assert rows[0]["full_date"] == date(year, 1, 1)
    assert rows[-1]["full_date"] == date(year + more, 12, 31)
    years = {year, year + more}
    assert {row["year"] for row in rows} == years, "a year without sales in between has no rows"
    assert len(rows) == sum((date(each, 12, 31) - date(each, 1, 1)).days + 1 for each in years)
    for row in rows[::13]:
        day = row["full_date"]
        assert (row["iso_year"], row["iso_week"], row["iso_weekday"]) == tuple(day.isocalendar())
        assert (row["year"], row["month"], row["day"]) == (day.year, day.month, day.day)
        assert row["date_key"] == int(f"{day:%Y%m%d}".rjust(8, "0"))
        assert row["quarter"] == (day.month + 2) // 3
        assert row["is_weekend"] == (day.weekday() >= 5)


def test_dim_date_names_months_and_days_in_english_with_the_types_of_its_table() -> None:
    frame = dates(["2010-12"])
    row = frame.filter(pl.col("date_key") == 20101201).row(0, named=True)
    assert (row["month_name"], row["weekday_name"]) == ("December", "Wednesday")
    assert frame.schema == pl.DataFrame(pl.from_arrow(arrow_schema(DimDate).empty_table())).schema
    assert DIM_DATE == "gold.dim_date"
