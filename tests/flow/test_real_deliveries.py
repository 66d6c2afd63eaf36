"""The real year, delivered again: in parts, under other names, in another spelling; nothing may move."""

import csv
import random
import shutil
from pathlib import Path

import polars as pl
import pytest

from cluster.warehouse import connect
from pipelines.refresh import STEPS, Step
from ray_apps.session import Run
from tests.flow.conftest import Shop
from warehouse_sql.tables.silver import MERGED

SPELLED = ["Invoice", "Stock Code", "description", "QUANTITY", "invoice_date", "Price", "Customer ID", "country"]
"""The header of the second edition, in mixed case."""


@pytest.fixture(scope="module")
def before(real_shop: tuple[Shop, Run]) -> dict[str, str]:
    """The content hash of each table before anything is delivered again."""
    return real_shop[0].hashes()


def published(shop: Shop) -> tuple[int, int, str]:
    """Give data version, lines and money of the warehouse."""
    with connect(shop.session.url) as connection:
        version = connection.execute("SELECT max(data_version) FROM ops.publications").fetchone()
        facts = connection.execute("SELECT count(*), sum(total_amount)::text FROM gold.fact_sales").fetchone()
    assert version is not None
    assert facts is not None
    return version[0], facts[0], facts[1]


def merged_by(shop: Shop, run: Run) -> pl.DataFrame:
    return shop.lake.scan(MERGED).filter(pl.col("batch_id") == run.run_id).collect()


@pytest.mark.parametrize("step", STEPS)
def test_running_a_step_again_changes_nothing(
    real_shop: tuple[Shop, Run], real_data: Path, before: dict[str, str], step: Step
) -> None:
    shop, _ = real_shop
    was = published(shop)
    inputs = [real_data / "online_retail.csv.gz"] if step == "bronze" else []
    results = shop.run(*inputs, steps=(step,)).results
    assert [result.changed for result in results] == [False]
    assert shop.hashes() == before
    assert published(shop) == was


def test_the_first_days_again_change_no_content(
    real_shop: tuple[Shop, Run], real_data: Path, before: dict[str, str], tmp_path: Path
) -> None:
    shop, _ = real_shop
    was = published(shop)
    days = sorted((real_data / "by_day").glob("*.csv"))
    random.Random(8).shuffle(days)
    renamed = [Path(shutil.copy(day, tmp_path / f"till-{number}.csv")) for number, day in enumerate(days)]
    run = shop.run(*renamed)
    silver = run.results[1]
    assert silver.counts.merged == silver.counts.read == 22_523
    assert any("22,523 lines were already there" in message for message in silver.messages)
    merged = merged_by(shop, run)
    assert merged.height == 22_523
    assert not merged["possible_split"].any()
    assert merged.filter(pl.col("source_row_id") == pl.col("kept_row_id")).height == 0
    assert shop.hashes() == before
    assert published(shop)[1:] == was[1:]
    skipped = shop.run(*renamed)
    assert len(skipped.results[0].messages) == 8
    assert not any(result.changed for result in skipped.results)


def respelled(day: Path, copy: Path) -> Path:
    """Write a day's lines as another till would: slashed times, lower-case codes, whole customer ids."""
    with day.open(newline="") as source, copy.open("w", newline="") as out:
        _, *lines = csv.reader(source)
        writer = csv.writer(out)
        writer.writerow(SPELLED)
        for invoice, code, text, quantity, at, price, customer, country in lines:
            date, _, clock = at.partition(" ")
            year, month, dom = (int(part) for part in date.split("-"))
            time = f"{month}/{dom}/{year} {int(clock[:2])}:{clock[3:5]}"
            writer.writerow(
                [invoice, f" {code.lower()}", text, quantity, time, price, customer.removesuffix(".0"), country]
            )
    return copy


def test_days_in_another_spelling_add_nothing(
    real_shop: tuple[Shop, Run], real_data: Path, before: dict[str, str], tmp_path: Path
) -> None:
    shop, _ = real_shop
    was = published(shop)
    days = sorted((real_data / "by_day").glob("*.csv"))
    run = shop.run(*(respelled(day, tmp_path / day.name) for day in days))
    silver = run.results[1]
    assert silver.counts.accepted == 0
    assert silver.counts.merged == silver.counts.read == merged_by(shop, run).height == 22_523
    assert shop.hashes() == before
    assert published(shop)[1:] == was[1:]
