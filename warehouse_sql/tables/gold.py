"""The star schema: in the lake under `gold/`, in PostgreSQL in schema `gold`, column for column the same."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Column, Computed, Index, PrimaryKeyConstraint, text
from sqlmodel import Field, SQLModel

from warehouse_sql.tables.types import (
    AMOUNT,
    COUNT,
    DAY,
    INSTANT,
    INTEGER,
    KEY,
    LOCAL_TIME,
    MEASURE,
    PRICE,
    SCORE,
    SMALL,
    TEXT,
    TOTAL,
)
from warehouse_sql.tables.types import UUID as UUID_TYPE

DIM_DATE = "gold.dim_date"
DIM_COUNTRY = "gold.dim_country"
DIM_CUSTOMERS = "gold.dim_customers"
DIM_PRODUCTS = "gold.dim_products"
FACT_SALES = "gold.fact_sales"
CUSTOMER_MONTHLY = "gold.customer_monthly"
BASKET_PAIRS = "gold.basket_pairs"

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


class CustomerMonth(SQLModel, table=True):
    """One row per named customer and month in which that customer has lines; the input of cohorts."""

    __tablename__ = "customer_monthly"
    __table_args__ = (
        PrimaryKeyConstraint("customer_id", "month", name="pk_customer_monthly"),
        Index("ix_customer_monthly_month", "month"),
        {"schema": "gold"},
    )

    customer_id: str = Field(sa_type=TEXT, primary_key=True)
    month: date = Field(sa_type=DAY, primary_key=True, description="First day of the month.")
    orders: int = Field(sa_type=COUNT, description="Invoices with a sale.")
    units: int = Field(sa_type=COUNT, description="Units of the sales.")
    net: Decimal = Field(sa_type=TOTAL, description="Money of all lines.")
    gross: Decimal = Field(sa_type=TOTAL, description="Money of the sales.")
    returns: Decimal = Field(sa_type=TOTAL, description="Money given back for returns, as a positive amount.")
    first_purchase_date: date | None = Field(None, sa_type=DAY, description="First day with a sale in the month.")
    last_purchase_date: date | None = Field(None, sa_type=DAY)


def _measure(formula: str) -> "Column[Any]":
    """A column that PostgreSQL works out from the counts of the row."""
    return Column(MEASURE, Computed(f"round({formula}, 10)", persisted=True))


class BasketPair(SQLModel, table=True):
    """One row per two products that were sold on the same invoice often enough; code_a sorts before code_b.

    The lake holds the counts; the measures are generated in PostgreSQL. An invoice with more distinct products than
    `RETAIL_BASKET_MAX_PRODUCTS` counts nowhere.
    """

    __tablename__ = "basket_pairs"
    __table_args__ = (
        PrimaryKeyConstraint("code_a", "code_b", name="pk_basket_pairs"),
        Index("ix_basket_pairs_code_b", "code_b"),
        {"schema": "gold"},
    )

    code_a: str = Field(sa_type=TEXT, primary_key=True)
    code_b: str = Field(sa_type=TEXT, primary_key=True)
    pair_count: int = Field(sa_type=COUNT, description="Invoices with both.")
    a_count: int = Field(sa_type=COUNT, description="Invoices with code_a.")
    b_count: int = Field(sa_type=COUNT, description="Invoices with code_b.")
    total_count: int = Field(sa_type=COUNT, description="All invoices that count.")
    support: Decimal | None = Field(None, sa_column=_measure("pair_count::numeric / total_count"))
    confidence_a_to_b: Decimal | None = Field(None, sa_column=_measure("pair_count::numeric / a_count"))
    confidence_b_to_a: Decimal | None = Field(None, sa_column=_measure("pair_count::numeric / b_count"))
    lift: Decimal | None = Field(
        None, sa_column=_measure("pair_count::numeric * total_count / (a_count::numeric * b_count)")
    )
    leverage: Decimal | None = Field(
        None,
        sa_column=_measure(
            "(pair_count::numeric * total_count - a_count::numeric * b_count) / (total_count::numeric * total_count)"
        ),
    )
