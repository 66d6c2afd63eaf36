"""The bronze tables: what arrived, cell by cell. They live in the lake only."""

from datetime import datetime

from sqlmodel import Field, SQLModel

from warehouse_sql.tables.types import COUNT, INSTANT, TEXT

SALES_LINES = "bronze.sales_lines"
FILES = "bronze.files"
DEAD_LETTERS = "bronze.dead_letters"


class SalesLine(SQLModel):
    """One row per source line that could be split into cells; every cell is the string that arrived.

    The source's cells stand under the names of `SOURCE_COLUMNS`; a column of a file that is none of them is kept as
    one more text column. Partitioned by `batch_id`.
    """

    invoice_no: str | None = Field(None, sa_type=TEXT)
    stock_code: str | None = Field(None, sa_type=TEXT)
    description: str | None = Field(None, sa_type=TEXT)
    quantity: str | None = Field(None, sa_type=TEXT)
    invoice_date: str | None = Field(None, sa_type=TEXT)
    unit_price: str | None = Field(None, sa_type=TEXT)
    customer_id: str | None = Field(None, sa_type=TEXT)
    country: str | None = Field(None, sa_type=TEXT)
    discount_amount: str | None = Field(None, sa_type=TEXT)
    row_id: str = Field(sa_type=TEXT, description="First 16 hex digits of the file's sha256, colon, line number.")
    source_system: str = Field(sa_type=TEXT)
    batch_id: str = Field(sa_type=TEXT, description="The run that ingested the line.")
    file_name: str = Field(sa_type=TEXT)
    file_sha256: str = Field(sa_type=TEXT)
    row_number: int = Field(sa_type=COUNT, description="Line of the file on which the record begins; the header is 1.")
    ingested_at: datetime = Field(sa_type=INSTANT)


SOURCE_COLUMNS = (
    "invoice_no",
    "stock_code",
    "description",
    "quantity",
    "invoice_date",
    "unit_price",
    "customer_id",
    "country",
    "discount_amount",
)
REQUIRED_SOURCE_COLUMNS = SOURCE_COLUMNS[:-1]
BRONZE_COLUMNS = tuple(name for name in SalesLine.model_fields if name not in SOURCE_COLUMNS)


class SourceFile(SQLModel):
    """One row per file and run that looked at it: how it was read, and what became of it."""

    file_sha256: str = Field(sa_type=TEXT)
    file_name: str = Field(sa_type=TEXT)
    batch_id: str = Field(sa_type=TEXT)
    source_system: str = Field(sa_type=TEXT)
    ingested_at: datetime = Field(sa_type=INSTANT)
    size_bytes: int = Field(sa_type=COUNT)
    header: str = Field(sa_type=TEXT, description="The header line as received.")
    alias_map: str = Field(sa_type=TEXT, description="JSON: header cell to bronze column.")
    date_order: str = Field(sa_type=TEXT, description="month_first or day_first.")
    line_count: int = Field(sa_type=COUNT)
    dead_letter_count: int = Field(sa_type=COUNT)
    outcome: str = Field(sa_type=TEXT, description="ingested or refused; only ingested files contribute lines.")
    reason: str | None = Field(None, sa_type=TEXT)


class DeadLetter(SQLModel):
    """One row per source line that could not be split into cells."""

    file_sha256: str = Field(sa_type=TEXT)
    file_name: str = Field(sa_type=TEXT)
    batch_id: str = Field(sa_type=TEXT)
    row_number: int = Field(sa_type=COUNT)
    reason: str = Field(sa_type=TEXT)
    raw_text: str = Field(sa_type=TEXT)
    ingested_at: datetime = Field(sa_type=INSTANT)
