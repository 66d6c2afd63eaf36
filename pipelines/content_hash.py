"""The content hash of a table: equal content, equal hash, whatever the files and the order of rows.

It covers the business columns, which are all but `PROVENANCE`; docs/identity.md specifies it byte by byte.
"""

from dataclasses import dataclass
from functools import partial

import polars as pl
from sqlmodel import SQLModel

from cluster.delta_sink import read_files
from cluster.lakehouse import Lakehouse
from cluster.storage import Storage
from pipelines.identity import IDENTITY_VERSION, field_of, hash_fields, hash_total
from pipelines.steps import Report
from pipelines.tasks import Row, run_tasks
from warehouse_sql.tables.arrow import stored_columns
from warehouse_sql.tables.gold import (
    BASKET_PAIRS,
    CUSTOMER_MONTHLY,
    DIM_COUNTRY,
    DIM_CUSTOMERS,
    DIM_DATE,
    DIM_PRODUCTS,
    FACT_SALES,
    BasketPair,
    CustomerMonth,
    DimCountry,
    DimCustomer,
    DimDate,
    DimProduct,
    FactSale,
)
from warehouse_sql.tables.silver import MONTH, REJECTED, TRANSACTIONS, RejectedLine, RetailTransaction

PROVENANCE = frozenset(
    {"source_row_id", "batch_id", "ingested_at", "created_at", "file_name", "row_number", MONTH, "invoice_key"}
)
"""Where and when a row came from, and columns that repeat another one: not part of its content."""
HASHED: dict[str, type[SQLModel]] = {
    TRANSACTIONS: RetailTransaction,
    REJECTED: RejectedLine,
    DIM_DATE: DimDate,
    DIM_COUNTRY: DimCountry,
    DIM_CUSTOMERS: DimCustomer,
    DIM_PRODUCTS: DimProduct,
    FACT_SALES: FactSale,
    CUSTOMER_MONTHLY: CustomerMonth,
    BASKET_PAIRS: BasketPair,
}
TABLE_HASH = b"H"


@dataclass(frozen=True)
class HashItem:
    """Files of one table that a task hashes."""

    table: str
    uris: tuple[str, ...]


def business_columns(table: str) -> list[str]:
    """Name the columns that make a table's content, in the order in which they are hashed."""
    return [name for name in stored_columns(HASHED[table]) if name not in PROVENANCE]


def content_hash(lake: Lakehouse, table: str, version: int, report: Report = lambda what, done, total: None) -> str:
    """Hash one version of a table.

    Args:
        lake: The lake.
        table: One of `HASHED`.
        version: Its version.
        report: Progress.

    Returns:
        32 hex digits.
    """
    items = [HashItem(table, (file.uri,)) for file in lake.files(table, version)]
    rows = run_tasks(partial(hash_files, lake.storage), items, f"hash {table}", report)
    return f"{sum(row['total'] for row in rows) % 2**128:032x}"


def hash_files(storage: Storage, item: HashItem) -> Row:
    """Hash files in a task; give `total`, which adds up over disjoint files modulo 2^128."""
    columns = business_columns(item.table)
    return {"total": frame_hash(read_files(storage, list(item.uris), columns), item.table)}


def frame_hash(rows: pl.DataFrame, table: str) -> int:
    """Hash some rows of a table.

    Args:
        rows: The table's business columns.
        table: One of `HASHED`.

    Returns:
        The sum of the rows' blake2b-128 hashes modulo 2^128; sums of disjoint sets of rows add up.
    """
    if rows.height == 0:
        return 0
    fields = [field_of(rows[name]) for name in business_columns(table)]
    return hash_total(hash_fields(fields, IDENTITY_VERSION + TABLE_HASH))
