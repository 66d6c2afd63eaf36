"""The shapes of what the marts answer: segments, months, cohorts, pairs of products; knows no route.

Ratios, shares and averages are decimal strings with four decimals, the measures of pairs with ten; none is a float.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from itertools import groupby
from operator import itemgetter
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from serve.payloads.values import Measure, MoneyValue, Ratio

BasketSort = Literal["lift", "support", "leverage"]

COMPLETE = "Whether the data begin on or before the month's first day and reach its last."


def _example(**values: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [values]})


def _gbp(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "GBP"}


class Segment(BaseModel):
    """The named customers of one RFM segment."""

    model_config = _example(
        segment="Champions",
        description="Buys often and bought very lately",
        customers=577,
        share_of_customers="0.1330",
        revenue=_gbp("4241450.9300"),
        share_of_revenue="0.4760",
        average_recency_days="6.0711",
        average_frequency="13.0763",
        average_monetary=_gbp("7350.8682"),
    )

    segment: str
    description: str | None = Field(description="What the segment's customers have in common.")
    customers: int = Field(description="Named customers who have bought.")
    share_of_customers: Ratio = Field(description="Of the customers of all segments; 1.0000 is all.")
    revenue: MoneyValue = Field(description="What they bought for, all sales together.")
    share_of_revenue: Ratio | None = Field(description="Of the revenue of all segments; null where that is 0.")
    average_recency_days: Ratio = Field(description="Days from the last purchase to `as_of`.")
    average_frequency: Ratio = Field(description="Invoices with a sale per customer.")
    average_monetary: MoneyValue = Field(description="Revenue per customer.")


class Segments(BaseModel):
    """All segments that have customers, largest revenue first."""

    as_of: date | None = Field(description="The day after the last published invoice; null: nothing is published.")
    data: list[Segment]


class Change(BaseModel):
    """The change of a figure: (figure − base) ÷ |base|."""

    on_previous_month: Ratio | None = Field(description="Null where there is no month before, or its figure is 0.")
    on_previous_year: Ratio | None = Field(description="On the same month of the year before; null as above.")


class Trend(BaseModel):
    """One month of all sales, with the change on the month and on the year before."""

    model_config = _example(
        month="2011-12",
        complete=False,
        sales_revenue=_gbp("638792.6800"),
        sales_revenue_change={"on_previous_month": "-0.5768", "on_previous_year": "-0.2245"},
        net=_gbp("433668.0100"),
        net_change={"on_previous_month": "-0.7033", "on_previous_year": "-0.4210"},
        units=314248,
        lines=25525,
        active_customers=615,
    )

    month: str = Field(description="2011-12.")
    complete: bool = Field(description=f"{COMPLETE} Changes of and on an incomplete month compare parts with wholes.")
    sales_revenue: MoneyValue
    sales_revenue_change: Change
    net: MoneyValue
    net_change: Change
    units: int
    lines: int
    active_customers: int = Field(description="Named customers with a sale in the month.")


class Trends(BaseModel):
    """Every month from the first line's to the last line's, oldest first."""

    data: list[Trend]


class CohortMonth(BaseModel):
    """What a cohort did in one month."""

    month_index: int = Field(description="Months since the cohort's own; 0 is that month.")
    month: str = Field(description="2011-01.")
    complete: bool = Field(description=COMPLETE)
    active_customers: int = Field(description="Customers of the cohort with a sale in the month.")
    retention: Ratio | None = Field(description="active_customers ÷ size.")
    revenue: MoneyValue
    cumulative_revenue: MoneyValue = Field(description="Revenue of this month and all before.")


class Cohort(BaseModel):
    """The named customers whose first sale is of one month."""

    model_config = _example(
        cohort="2010-12",
        size=885,
        months=[
            {
                "month_index": 1,
                "month": "2011-01",
                "complete": True,
                "active_customers": 324,
                "retention": "0.3661",
                "revenue": _gbp("276237.6900"),
                "cumulative_revenue": _gbp("848951.5800"),
            }
        ],
    )

    cohort: str = Field(description="Month of the first sale, 2010-12.")
    size: int = Field(description="Customers of the cohort: those active at month_index 0.")
    months: list[CohortMonth] = Field(description="Every month up to the newest of the data; months without sales too.")


class Cohorts(BaseModel):
    """All cohorts, oldest first."""

    data: list[Cohort]


class BasketPair(BaseModel):
    """Two products that were sold on the same invoices; code_a sorts before code_b."""

    model_config = _example(
        code_a="22697",
        description_a="GREEN REGENCY TEACUP AND SAUCER",
        code_b="22699",
        description_b="ROSES REGENCY TEACUP AND SAUCER",
        pair_count=552,
        a_count=727,
        b_count=809,
        total_count=19147,
        support="0.0288295817",
        confidence_a_to_b="0.7592847318",
        confidence_b_to_a="0.6823238566",
        lift="17.9703643502",
        leverage="0.0272252969",
    )

    code_a: str
    description_a: str | None = Field(description="The current one.")
    code_b: str
    description_b: str | None = Field(description="The current one.")
    pair_count: int = Field(description="Invoices with both.")
    a_count: int = Field(description="Invoices with code_a.")
    b_count: int = Field(description="Invoices with code_b.")
    total_count: int = Field(description="All invoices that count; very large ones are left out.")
    support: Measure = Field(description="pair_count ÷ total_count.")
    confidence_a_to_b: Measure = Field(description="pair_count ÷ a_count: who takes a, takes b.")
    confidence_b_to_a: Measure = Field(description="pair_count ÷ b_count: who takes b, takes a.")
    lift: Measure = Field(description="How many times oftener together than by chance; 1 is chance.")
    leverage: Measure = Field(description="Share of invoices with both, above what chance would give.")


def trends_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Give the values of `Trends`.

    Args:
        rows: Of `datamart/trends`, one per month.

    Returns:
        The rows with the changes of a figure put together.
    """

    def change(row: Mapping[str, Any], figure: str) -> dict[str, Any]:
        return {name: row[f"{figure}_{name}"] for name in Change.model_fields}

    return {
        "data": [{**row, **{f"{name}_change": change(row, name) for name in ("sales_revenue", "net")}} for row in rows]
    }


def cohorts_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Give the values of `Cohorts`.

    Args:
        rows: Of `datamart/cohorts`, one per cohort and month, a cohort's together.

    Returns:
        One entry per cohort with its months.
    """
    groups = groupby(rows, itemgetter("cohort", "size"))
    return {"data": [{"cohort": name, "size": size, "months": list(months)} for (name, size), months in groups]}
