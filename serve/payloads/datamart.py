"""The shapes of the datamart's answers; knows no route.

Everywhere: `net` is the sum over all lines; `sales_revenue`, `sale_lines`, `sale_invoices` and `units` count the lines
that are sales (invoice not starting with C, quantity > 0, price > 0).
"""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from serve.payloads.values import MoneyValue

Granularity = Literal["day", "week", "month"]
GroupBy = Literal["country", "product"]
Outcome = Literal["warned", "rejected", "merged", "dead_letter"]


def _example(**values: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [values]})


def _gbp(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "GBP"}


class PublicationInfo(BaseModel):
    """What the figures were made from."""

    data_version: int = Field(description="Goes up by one with each publication; 0: nothing is published yet.")
    published_at: datetime | None


class RuleFigures(BaseModel):
    """How many lines a rule holds for; a line that several rules hold for counts at each."""

    model_config = _example(outcome="warned", rule_id="guest", lines=135080, amount=_gbp("1447682.1200"))

    outcome: Outcome
    rule_id: str
    lines: int
    amount: MoneyValue | None = Field(description="Null where the lines have no readable money.")


class Overview(BaseModel):
    """The figures of everything that is published."""

    model_config = _example(
        publication={"data_version": 1, "published_at": "2026-11-24T09:09:59Z"},
        net=_gbp("9747747.9340"),
        sales_revenue=_gbp("10666684.5440"),
        lines=541909,
        sale_lines=530104,
        invoices=25900,
        sale_invoices=19960,
        customers=4372,
        products=3958,
        guest_lines=135080,
        cancelled_lines=9288,
        return_lines=10624,
        adjustment_lines=3,
        first_date="2010-12-01",
        last_date="2011-12-09",
        average_quality_score=0.9751,
        quality=[{"outcome": "warned", "rule_id": "guest", "lines": 135080, "amount": _gbp("1447682.1200")}],
    )

    publication: PublicationInfo
    net: MoneyValue
    sales_revenue: MoneyValue
    lines: int
    sale_lines: int
    invoices: int
    sale_invoices: int
    customers: int = Field(description="Named customers.")
    products: int = Field(description="Stock codes.")
    guest_lines: int = Field(description="Lines without a customer.")
    cancelled_lines: int = Field(description="Lines of invoices that start with C.")
    return_lines: int = Field(description="Lines with quantity < 0.")
    adjustment_lines: int = Field(description="Lines of invoices that start with A.")
    first_date: date | None
    last_date: date | None
    average_quality_score: float | None
    quality: list[RuleFigures]


class Revenue(BaseModel):
    """One period, or one period and country or product."""

    model_config = _example(
        period="2010-12-01",
        period_start="2010-12-01",
        country=None,
        stock_code=None,
        net=_gbp("58635.5600"),
        sales_revenue=_gbp("58960.7900"),
        lines=3108,
        sale_lines=3072,
        sale_invoices=127,
        customers=95,
        units=26919,
        cancelled_lines=26,
        cancelled_value=_gbp("-325.2300"),
    )

    period: str = Field(description="2010-12-01, 2010-W48 (ISO week) or 2010-12.")
    period_start: date = Field(description="First day of the period; a week starts on Monday.")
    country: str | None = Field(description="With group_by=country.")
    stock_code: str | None = Field(description="With group_by=product.")
    net: MoneyValue
    sales_revenue: MoneyValue
    lines: int
    sale_lines: int
    sale_invoices: int
    customers: int = Field(description="Named customers with a sale.")
    units: int
    cancelled_lines: int
    cancelled_value: MoneyValue = Field(description="Sum over the cancelled lines, usually negative.")


class Product(BaseModel):
    """One stock code."""

    model_config = _example(
        stock_code="22423",
        description="REGENCY CAKESTAND 3 TIER",
        net=_gbp("164762.1900"),
        sales_revenue=_gbp("174484.7400"),
        lines=2203,
        sale_lines=2017,
        units=13879,
        return_lines=184,
        returned_units=910,
    )

    stock_code: str
    description: str | None = Field(description="The current one.")
    net: MoneyValue
    sales_revenue: MoneyValue
    lines: int
    sale_lines: int
    units: int
    return_lines: int
    returned_units: int = Field(description="A positive number.")


class Customer(BaseModel):
    """One named customer."""

    model_config = _example(
        customer_id="14646",
        country="Netherlands",
        orders=73,
        net=_gbp("279489.0200"),
        sales_revenue=_gbp("280206.0200"),
        lines=2085,
        units=196915,
        first_purchase_date="2010-12-20",
        last_purchase_date="2011-12-08",
    )

    customer_id: str
    country: str = Field(description="The current one.")
    orders: int = Field(description="Invoices with a sale.")
    net: MoneyValue
    sales_revenue: MoneyValue
    lines: int
    units: int
    first_purchase_date: date | None = Field(description="First day with a sale; null: never.")
    last_purchase_date: date | None


class CustomerVersion(BaseModel):
    """A run of days with one country."""

    country: str
    valid_from: date = Field(description="Inclusive; the first version is open to the past (0001-01-01).")
    valid_to: date = Field(description="Inclusive; the last version is open to the future (9999-12-31).")
    is_current: bool


class CustomerMonth(BaseModel):
    """A month in which the customer has lines."""

    period: str = Field(description="2010-12.")
    orders: int
    net: MoneyValue
    sales_revenue: MoneyValue
    lines: int
    units: int


class CustomerDetail(Customer):
    """One named customer with the versions and months behind the figures."""

    versions: list[CustomerVersion]
    months: list[CustomerMonth]


class Country(BaseModel):
    """One country; a line counts for its own country, not for its customer's."""

    model_config = _example(
        country="EIRE",
        iso_alpha2="IE",
        iso_alpha3="IRL",
        region="Northern Europe",
        lines=8196,
        sale_lines=7890,
        sale_invoices=288,
        customers=3,
        net=_gbp("263276.8200"),
        sales_revenue=_gbp("283453.9600"),
    )

    country: str
    iso_alpha2: str | None
    iso_alpha3: str | None
    region: str
    lines: int
    sale_lines: int
    sale_invoices: int
    customers: int = Field(description="Named customers with any line.")
    net: MoneyValue
    sales_revenue: MoneyValue


class Countries(BaseModel):
    """All countries that have lines, largest net first."""

    data: list[Country]
