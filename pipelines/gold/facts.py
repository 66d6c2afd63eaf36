"""The tasks that make fact rows from silver rows of one month, one row in, one row out, or sum what Spark made."""

from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from cluster.delta_sink import WrittenFile, read_files, write_file
from cluster.storage import Storage
from pipelines.countries import countries
from pipelines.gold.versions import CUSTOMERS, PRODUCTS, key_at
from pipelines.identity import sale_keys
from pipelines.tasks import Row
from warehouse_sql.tables.gold import FACT_SALES, GUEST_KEY, FactSale
from warehouse_sql.tables.silver import MONTH


@dataclass(frozen=True)
class FactItem:
    """Silver files of one month and the dimensions that their rows point to."""

    month: str
    silver_uris: tuple[str, ...]
    customer_uris: tuple[str, ...]
    product_uris: tuple[str, ...]
    name: str


@dataclass(frozen=True)
class SumItem:
    """A file of facts that another engine wrote."""

    month: str
    file: WrittenFile


def write_facts(storage: Storage, item: FactItem) -> Row:
    """Write the facts of some silver files.

    Args:
        storage: The lake.
        item: The files.

    Returns:
        `file`: the file written; `month`; `rows`; `amount`: Σ total_amount.
    """
    lines = read_files(storage, list(item.silver_uris))
    customers = read_files(storage, list(item.customer_uris))
    products = read_files(storage, list(item.product_uris))
    facts = facts_of(lines, customers, products)
    written = write_file(storage, FACT_SALES, item.name, facts, {MONTH: item.month})
    return {"file": written, "month": item.month, "rows": facts.height, "amount": Decimal(facts["total_amount"].sum())}


def sum_amounts(storage: Storage, item: SumItem) -> Row:
    """Say of a written file what `write_facts` says of its own."""
    uri = f"{storage.table_uri(FACT_SALES)}/{item.file.path}"
    amounts = read_files(storage, [uri], ["total_amount"])["total_amount"]
    return {"file": item.file, "month": item.month, "rows": len(amounts), "amount": Decimal(amounts.sum())}


def facts_of(lines: pl.DataFrame, customers: pl.DataFrame, products: pl.DataFrame) -> pl.DataFrame:
    """Make fact rows.

    Args:
        lines: Rows of silver.retail_transactions.
        customers: Rows of gold.dim_customers.
        products: Rows of gold.dim_products.

    Returns:
        One row of gold.fact_sales per line, same order.
    """
    day = pl.col("invoice_date").dt
    keyed = lines.with_columns(
        sale_keys(lines["line_id"]).alias("sale_key"),
        key_at(lines, customers, CUSTOMERS).fill_null(GUEST_KEY).alias("customer_key"),
        key_at(lines, products, PRODUCTS).alias("product_key"),
        (day.year() * 10_000 + day.month().cast(pl.Int32) * 100 + day.day().cast(pl.Int32)).alias("date_key"),
        pl.col("ingested_at").alias("created_at"),
    ).join(countries().select("country", "country_key"), on="country", how="left", maintain_order="left")
    return keyed.select(FactSale.model_fields.keys())
