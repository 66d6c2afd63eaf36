"""The benchmark's opponent makes the platform's tables: what is timed against each other is the same work."""

from pathlib import Path

import polars as pl
import pytest

from benchmarks.raw_to_gold import polars_script
from pipelines.content_hash import HASHED, business_columns, frame_hash
from tests.flow.shop_lake import Platform, line, shop_days, write
from warehouse_sql.tables.bronze import SALES_LINES, SOURCE_COLUMNS
from warehouse_sql.tables.gold import BASKET_PAIRS, CUSTOMER_MONTHLY, FACT_SALES
from warehouse_sql.tables.silver import MERGED, TRANSACTIONS

pytestmark = pytest.mark.usefixtures("ray_local")

COUNTRIES = Path(__file__).parents[2] / "pipelines" / "countries.csv"
ODD = [
    line(invoice="A1", code="B", quantity="1", price="-11062.06"),
    line(invoice="C2", quantity="-3"),
    line(invoice="3", quantity="-3", price="0", customer="", text=""),
    line(invoice="4", code=" dot ", price="3.141592"),
    line(invoice="4", code="D", quantity="+2", price="0.00005"),
    line(invoice="5", customer="17850.0", country="Atlantis"),
    line(invoice="5", customer="17850.0", country="Lemuria"),
    line(invoice="6", customer=" 17850 ", country="rsa", text="  two   blanks "),
    line(invoice="7", at="2999-01-01 00:00:00"),
    line(invoice=""),
    line(invoice="8", code="  "),
    line(invoice="9", quantity="1.5"),
    line(invoice="9", quantity="1.5"),
    line(invoice="10", quantity="0"),
    line(invoice="11", at="2010-02-30 08:00:00"),
    line(invoice="12", price="free"),
    line(invoice="13", price="-1"),
    line(invoice="14", quantity="1000001", price="-100000000"),
    line(invoice="15", quantity="999999", price="99999999"),
]

SPINE = [table for table in HASHED if table not in (BASKET_PAIRS, CUSTOMER_MONTHLY)]
"""The tables up to the facts, which the script makes, too."""


@pytest.fixture(scope="module")
def sides(ray_local: object, tmp_path_factory: pytest.TempPathFactory) -> tuple[Platform, Path]:
    """Both sides over the same two files, the later of which delivers the odd lines again."""
    place = tmp_path_factory.mktemp("sides")
    days = [text for day in shop_days(seed=3, days=12, lines_a_day=40) for text in day]
    files = [write(place / "a.csv", [*ODD, *days]), write(place / "b.csv", [*ODD, line(invoice="99", quantity="7")])]
    shop, out = Platform(place / "home"), place / "script"
    shop.run(*files)
    polars_script.run(out, COUNTRIES, files)
    return shop, out


def made(out: Path, table: str) -> pl.DataFrame:
    return pl.read_delta(str(out / table.replace(".", "/")))


@pytest.mark.parametrize("table", SPINE)
def test_content_is_equal(sides: tuple[Platform, Path], table: str) -> None:
    shop, out = sides
    ours, theirs = (rows.select(business_columns(table)) for rows in (shop.table(table), made(out, table)))
    assert theirs.height == ours.height > 0
    assert ours.join(theirs, on=ours.columns, how="anti", nulls_equal=True).is_empty()
    assert frame_hash(theirs, table) == frame_hash(ours, table)


@pytest.mark.parametrize("table", [SALES_LINES, *SPINE])
def test_columns_are_equal(sides: tuple[Platform, Path], table: str) -> None:
    shop, out = sides
    assert dict(made(out, table).schema) == dict(shop.table(table).schema)


def test_bronze_is_equal_cell_by_cell(sides: tuple[Platform, Path]) -> None:
    shop, out = sides
    columns = ["row_id", *SOURCE_COLUMNS[:-1], "file_sha256", "row_number"]
    ours, theirs = (rows.select(columns).sort("row_id") for rows in (shop.table(SALES_LINES), made(out, SALES_LINES)))
    assert theirs.equals(ours)


def test_money_and_ids_of_silver_arrive_in_the_facts(sides: tuple[Platform, Path]) -> None:
    _, out = sides
    silver, facts = made(out, TRANSACTIONS), made(out, FACT_SALES)
    assert facts["total_amount"].sum() == silver["total_amount"].sum()
    assert set(facts["line_id"]) == set(silver["line_id"])


def test_the_second_delivery_of_the_odd_lines_is_merged(sides: tuple[Platform, Path]) -> None:
    shop, out = sides
    columns = ["line_id", "source_row_id", "amount"]
    ours, theirs = (rows.select(columns).sort("line_id") for rows in (shop.table(MERGED), made(out, MERGED)))
    assert theirs.equals(ours)
    assert theirs.height == len(ODD)
