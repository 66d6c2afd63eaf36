"""The silver tables: typed, standardised and judged lines. They live in the lake only."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Boolean
from sqlmodel import Field, SQLModel

from warehouse_sql.tables.types import AMOUNT, ANY_AMOUNT, COUNT, DAY, INSTANT, LOCAL_TIME, PRICE, SCORE, TEXT, TEXTS
from warehouse_sql.tables.types import UUID as UUID_TYPE

TRANSACTIONS = "silver.retail_transactions"
REJECTED = "silver.rejected_lines"
MERGED = "silver.merged_lines"
MONTH = "invoice_month"


class RetailTransaction(SQLModel):
    """One row per accepted invoice line. Partitioned by `invoice_month` (YYYY-MM)."""

    line_id: UUID = Field(sa_type=UUID_TYPE, description="Identity of the line, see docs/identity.md.")
    occurrence: int = Field(sa_type=COUNT, description="1 for the first line of that content in its file, 2 …")
    invoice_no: str = Field(sa_type=TEXT)
    stock_code: str = Field(sa_type=TEXT)
    description: str | None = Field(None, sa_type=TEXT)
    quantity: int = Field(sa_type=COUNT)
    invoice_ts: datetime = Field(sa_type=LOCAL_TIME)
    invoice_date: date = Field(sa_type=DAY)
    unit_price: Decimal = Field(sa_type=PRICE)
    total_amount: Decimal = Field(sa_type=AMOUNT)
    discount_amount: Decimal | None = Field(None, sa_type=AMOUNT)
    customer_id: str | None = Field(None, sa_type=TEXT, description="None for guests.")
    country: str = Field(sa_type=TEXT, description="A name of dim_country.")
    line_type: str = Field(sa_type=TEXT)
    is_sale: bool = Field(sa_type=Boolean)
    is_return: bool = Field(sa_type=Boolean)
    data_quality_score: Decimal = Field(sa_type=SCORE)
    validation_errors: list[str] = Field(sa_type=TEXTS, description="Sorted ids of the warnings.")
    source_row_id: str = Field(sa_type=TEXT, description="row_id in bronze.sales_lines.")
    batch_id: str = Field(sa_type=TEXT)
    ingested_at: datetime = Field(sa_type=INSTANT)
    invoice_month: str = Field(sa_type=TEXT)


class RejectedLine(SQLModel):
    """One row per line that a rule of severity error refused."""

    line_id: UUID = Field(sa_type=UUID_TYPE)
    rule_ids: list[str] = Field(sa_type=TEXTS, description="Sorted ids of the errors.")
    amount: Decimal | None = Field(
        None, sa_type=ANY_AMOUNT, description="Money; None where price or quantity do not parse."
    )
    invoice_no: str | None = Field(None, sa_type=TEXT, description="Cells as received.")
    stock_code: str | None = Field(None, sa_type=TEXT)
    description: str | None = Field(None, sa_type=TEXT)
    quantity: str | None = Field(None, sa_type=TEXT)
    invoice_date: str | None = Field(None, sa_type=TEXT)
    unit_price: str | None = Field(None, sa_type=TEXT)
    customer_id: str | None = Field(None, sa_type=TEXT)
    country: str | None = Field(None, sa_type=TEXT)
    discount_amount: str | None = Field(None, sa_type=TEXT)
    invoice_key: str = Field(sa_type=TEXT, description="Invoice number trimmed and upper-cased; empty when missing.")
    source_row_id: str = Field(sa_type=TEXT)
    file_name: str = Field(sa_type=TEXT)
    row_number: int = Field(sa_type=COUNT)
    batch_id: str = Field(sa_type=TEXT)
    ingested_at: datetime = Field(sa_type=INSTANT)


class MergedLine(SQLModel):
    """One row per delivered line that was already there, with both sources."""

    line_id: UUID = Field(sa_type=UUID_TYPE)
    invoice_no: str = Field(sa_type=TEXT)
    amount: Decimal | None = Field(None, sa_type=ANY_AMOUNT)
    source_row_id: str = Field(sa_type=TEXT, description="The delivered line.")
    file_name: str = Field(sa_type=TEXT)
    row_number: int = Field(sa_type=COUNT)
    batch_id: str = Field(sa_type=TEXT)
    kept_row_id: str = Field(sa_type=TEXT, description="The line that was already there.")
    kept_batch_id: str = Field(sa_type=TEXT)
    possible_split: bool = Field(
        sa_type=Boolean, description="The delivery may be one that was cut between equal lines."
    )
    equal_lines_only: bool = Field(
        sa_type=Boolean, description="All lines of the invoice are equal, so a cut cannot be told from a re-delivery."
    )
    ingested_at: datetime = Field(sa_type=INSTANT)
