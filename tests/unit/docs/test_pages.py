"""The pages of docs/ say what the code does: generated ones are fresh, lists are complete, commands run."""

import re
from pathlib import Path

import polars as pl
import pytest

from cluster.delta_sink import write_file
from cluster.lakehouse import Commit, LakeWriter
from cluster.lease import Lease
from cluster.settings import Settings
from cluster.storage import Storage
from pipelines import rules
from pipelines.content_hash import HASHED, PROVENANCE, business_columns
from pipelines.gold.build import FACT_SCHEMA
from pipelines.gold.build import SIBLINGS as GOLD_SIBLINGS
from pipelines.gold.facts import facts_of
from pipelines.identity import TYPED_FIELDS
from pipelines.rules_page import KINDS, PAGE, rules_page
from tests.unit.pipelines.gold.test_facts import LINES, dims
from tests.unit.pipelines.test_identity import line_hash
from warehouse_sql.tables import bronze, silver
from warehouse_sql.tables.arrow import arrow_schema
from warehouse_sql.tables.gold import (
    BASKET_PAIRS,
    CUSTOMER_MONTHLY,
    DIM_CUSTOMERS,
    DIM_PRODUCTS,
    FACT_SALES,
    DimCustomer,
    DimProduct,
)

DOCS = Path(__file__).parents[3] / "docs"


def read(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def test_the_page_of_rules_is_fresh() -> None:
    assert PAGE == DOCS / "rules.md"
    assert read("rules.md") == rules_page()
    assert tuple(KINDS) == rules.LINE_TYPES


def test_identity_lists_the_fields_of_a_line_in_their_order() -> None:
    section = read("identity.md").split("## A line")[1].split("**`T`**")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == TYPED_FIELDS


def test_identity_lists_the_business_columns_of_every_table_in_their_order() -> None:
    rows = dict(re.findall(r"^\| `(\w+\.\w+)` \| (.*) \|$", read("identity.md"), re.MULTILINE))
    assert {table: re.findall(r"`(\w+)`", columns) for table, columns in rows.items()} == {
        table: business_columns(table) for table in HASHED
    }
    left_out = read("identity.md").split("Not in it")[1].split("##")[0]
    assert set(re.findall(r"`(\w+)`", left_out)) == PROVENANCE


def test_the_vector_of_identity_is_true() -> None:
    assert line_hash().hex() in read("identity.md")
    assert "`0x01`" in read("identity.md")


def test_layers_lists_every_table_in_the_order_of_commits() -> None:
    listed = re.findall(r"^\| `(\w+\.\w+)`", read("layers.md"), re.MULTILINE)
    assert listed == [
        bronze.SALES_LINES, bronze.DEAD_LETTERS, bronze.FILES,
        silver.MERGED, silver.REJECTED, silver.TRANSACTIONS,
        *GOLD_SIBLINGS, FACT_SALES, CUSTOMER_MONTHLY, BASKET_PAIRS,
    ]  # fmt: skip


@pytest.mark.parametrize("page", ["rules.md", "identity.md", "layers.md"])
def test_settings_and_files_that_a_page_names_exist(page: str) -> None:
    text = read(page)
    assert all(name.lower() in Settings.model_fields for name in re.findall(r"RETAIL_([A-Z_]+)", text))
    for path in re.findall(r"`((?:pipelines|warehouse_sql|cluster)/[\w/.]+)`", text):
        assert (DOCS.parent / path).exists(), path
    for link in re.findall(r"\]\(([\w.]+)\)", text):
        assert (DOCS / link).exists(), link


def test_the_commands_of_layers_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They read a small lake that stands where the page says, below the working folder."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"RETAIL_{name.upper()}", raising=False)
    monkeypatch.chdir(tmp_path)
    customers, products = dims(LINES)
    facts = facts_of(LINES, customers, products).with_columns(month=LINES["invoice_month"])
    storage = Storage(str(tmp_path / ".retail/lake"))
    with Lease.take(storage, "run-1", 600) as lease:
        lake = LakeWriter(storage, lease)
        siblings = {}
        for table, frame, model in ((DIM_CUSTOMERS, customers, DimCustomer), (DIM_PRODUCTS, products, DimProduct)):
            siblings[table] = lake.commit(
                table, Commit([write_file(storage, table, "x", frame)], arrow_schema(model))
            ).version
        files = [
            write_file(storage, FACT_SALES, "x", rows.drop("month"), {silver.MONTH: str(month)})
            for (month,), rows in facts.partition_by("month", as_dict=True).items()
        ]
        lake.commit(FACT_SALES, Commit(files, FACT_SCHEMA, (silver.MONTH,), notes={"siblings": siblings}))
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", read("layers.md"), re.DOTALL):
        exec(block, names)
    shown = capsys.readouterr().out
    months = facts.group_by("month").agg(pl.col("total_amount").sum()).sort("month").rows()
    assert str([(month, net) for month, net in months]) in shown
    assert shown.count("2011-03") >= 3
    assert "description" in shown
    assert "NEW" in shown
