"""The star schema: in the lake under `gold/`, in PostgreSQL in schema `gold`, column for column the same."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Boolean, Index, PrimaryKeyConstraint, text
from sqlmodel import Field, SQLModel

from warehouse_sql.tables.types import AMOUNT, COUNT, DAY, INSTANT, INTEGER, KEY, LOCAL_TIME, PRICE, SCORE, SMALL, TEXT
from warehouse_sql.tables.types import UUID as UUID_TYPE

DIM_DATE = "gold.dim_date"
DIM_COUNTRY = "gold.dim_country"
DIM_CUSTOMERS = "gold.dim_customers"
DIM_PRODUCTS = "gold.dim_products"
FACT_SALES = "gold.fact_sales"

GUEST_KEY = -1
GUEST_ID = "GUEST"
FIRST_DAY = date(1, 1, 1)
LAST_DAY = date(9999, 12, 31)


class DimDate(SQLModel, table=True):
    """One row per day of the years that have sales."""

    __tablename__ = "dim_date"
    __table_args__ = {"schema": "gold"}

    date_key: int = Field(
        primary_key=True, sa_type=INTEGER, sa_column_kwargs={"autoincrement": False}, description="YYYYMMDD."
    )
    full_date: date = Field(sa_type=DAY, unique=True)
    year: int = Field(sa_type=SMALL)
    quarter: int = Field(sa_type=SMALL)
    month: int = Field(sa_type=SMALL)
    month_name: str = Field(sa_type=TEXT)
    day: int = Field(sa_type=SMALL)
    iso_year: int = Field(sa_type=SMALL)
    iso_week: int = Field(sa_type=SMALL)
    iso_weekday: int = Field(sa_type=SMALL, description="1 is Monday.")
    weekday_name: str = Field(sa_type=TEXT)
    is_weekend: bool = Field(sa_type=Boolean)


class DimCountry(SQLModel, table=True):
    """One row per country of ISO 3166-1, and per area that sources name beside them."""

    __tablename__ = "dim_country"
    __table_args__ = {"schema": "gold"}

    country_key: int = Field(
        primary_key=True,
        sa_type=INTEGER,
        sa_column_kwargs={"autoincrement": False},
        description="ISO or UN M49 number.",
    )
    country: str = Field(sa_type=TEXT, unique=True)
    iso_alpha2: str | None = Field(None, sa_type=TEXT)
    iso_alpha3: str | None = Field(None, sa_type=TEXT)
    region: str = Field(sa_type=TEXT, description="UN M49 sub-region.")


class DimCustomer(SQLModel, table=True):
    """One row per customer and run of days with one country (SCD type 2); guests are customer_key -1."""

    __tablename__ = "dim_customers"
    __table_args__ = (
        Index("ix_dim_customers_customer_id", "customer_id", "valid_from", unique=True),
        {"schema": "gold"},
    )

    customer_key: int = Field(primary_key=True, sa_type=KEY, sa_column_kwargs={"autoincrement": False})
    customer_id: str = Field(sa_type=TEXT)
    country: str = Field(sa_type=TEXT)
    valid_from: date = Field(sa_type=DAY, description="First day of the version, inclusive.")
    valid_to: date = Field(sa_type=DAY, description="Last day of the version, inclusive.")
    is_current: bool = Field(sa_type=Boolean)


class DimProduct(SQLModel, table=True):
    """One row per product and run of days with one description (SCD type 2)."""

    __tablename__ = "dim_products"
    __table_args__ = (
        Index("ix_dim_products_stock_code", "stock_code", "valid_from", unique=True),
        {"schema": "gold"},
    )

    product_key: int = Field(primary_key=True, sa_type=KEY, sa_column_kwargs={"autoincrement": False})
    stock_code: str = Field(sa_type=TEXT)
    description: str | None = Field(None, sa_type=TEXT)
    valid_from: date = Field(sa_type=DAY, description="First day of the version, inclusive.")
    valid_to: date = Field(sa_type=DAY, description="Last day of the version, inclusive.")
    is_current: bool = Field(sa_type=Boolean)


class FactSale(SQLModel, table=True):
    """One row per accepted invoice line, range-partitioned by quarter of `invoice_date`."""

    __tablename__ = "fact_sales"
    __table_args__ = (
        PrimaryKeyConstraint("sale_key", "invoice_date", name="pk_fact_sales"),
        Index("ix_fact_sales_invoice_date", "invoice_date", "sale_key"),
        Index("ix_fact_sales_customer_date", "customer_key", "date_key"),
        Index("ix_fact_sales_product_country", "product_key", "country"),
        Index("ix_fact_sales_returns", "date_key", postgresql_where=text("is_return")),
        Index(
            "ix_fact_sales_year_month",
            text("(extract(year from invoice_date))"),
            text("(extract(month from invoice_date))"),
        ),
        {"schema": "gold", "postgresql_partition_by": "RANGE (invoice_date)"},
    )

    sale_key: int = Field(sa_type=KEY, primary_key=True, sa_column_kwargs={"autoincrement": False})
    line_id: UUID = Field(sa_type=UUID_TYPE)
    invoice_no: str = Field(sa_type=TEXT)
    invoice_date: date = Field(sa_type=DAY, primary_key=True)
    invoice_ts: datetime = Field(sa_type=LOCAL_TIME)
    date_key: int = Field(sa_type=INTEGER, foreign_key="gold.dim_date.date_key")
    customer_key: int = Field(sa_type=KEY, foreign_key="gold.dim_customers.customer_key")
    product_key: int = Field(sa_type=KEY, foreign_key="gold.dim_products.product_key")
    country_key: int = Field(sa_type=INTEGER, foreign_key="gold.dim_country.country_key")
    country: str = Field(sa_type=TEXT)
    quantity: int = Field(sa_type=COUNT)
    unit_price: Decimal = Field(sa_type=PRICE)
    total_amount: Decimal = Field(sa_type=AMOUNT, description="quantity × unit_price; a discount is never subtracted.")
    discount_amount: Decimal | None = Field(None, sa_type=AMOUNT)
    line_type: str = Field(sa_type=TEXT)
    is_sale: bool = Field(sa_type=Boolean, description="Invoice not starting with C, quantity > 0, price > 0.")
    is_return: bool = Field(sa_type=Boolean, description="quantity < 0.")
    data_quality_score: Decimal = Field(sa_type=SCORE)
    batch_id: str = Field(sa_type=TEXT)
    source_row_id: str = Field(sa_type=TEXT)
    created_at: datetime = Field(sa_type=INSTANT, description="When the winning line was ingested.")
