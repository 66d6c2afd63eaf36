from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel, ValidationError

from serve.payloads.marts import Change, Cohorts, Trends, cohorts_of, trends_of
from serve.payloads.values import Measure, Presentation, Ratio

SHOWN = Presentation("GBP", ZoneInfo("UTC"))


class Figures(BaseModel):
    ratio: Ratio | None
    measure: Measure


@pytest.mark.parametrize(
    ("ratio", "measure", "texts"),
    [
        (Decimal("0.5"), Decimal("1E-10"), ("0.5000", "0.0000000001")),
        (Decimal("-1.2500"), Decimal("-0.0266666667"), ("-1.2500", "-0.0266666667")),
        (Decimal("123456789012345678.1234"), Decimal("232.3362946912"), ("123456789012345678.1234", "232.3362946912")),
        (None, Decimal(0), (None, "0.0000000000")),
    ],
)
def test_ratios_and_measures_keep_every_digit(ratio: Decimal, measure: Decimal, texts: tuple[str | None, str]) -> None:
    figures = Figures.model_validate({"ratio": ratio, "measure": measure})
    assert (figures.ratio, figures.measure) == texts


@pytest.mark.parametrize("value", [0.5, "0.5", "much", Decimal("NaN")])
def test_a_ratio_is_made_from_a_decimal_alone(value: Any) -> None:
    with pytest.raises(ValidationError):
        Figures.model_validate({"ratio": value, "measure": Decimal(1)})


def _cohort_row(cohort: str, size: int, index: int) -> dict[str, Any]:
    return {
        "cohort": cohort, "size": size, "month_index": index, "month": "2011-01", "complete": True,
        "active_customers": 1, "retention": Decimal("0.5"), "revenue": Decimal(index), "cumulative_revenue": Decimal(9),
    }  # fmt: skip


def test_the_months_of_a_cohort_come_together() -> None:
    rows = [_cohort_row("2010-12", 2, 0), _cohort_row("2010-12", 2, 1), _cohort_row("2011-01", 2, 0)]
    cohorts = Cohorts.model_validate(cohorts_of(rows), context=SHOWN).data
    assert [(cohort.cohort, cohort.size) for cohort in cohorts] == [("2010-12", 2), ("2011-01", 2)]
    assert [[month.month_index for month in cohort.months] for cohort in cohorts] == [[0, 1], [0]]
    assert [month.revenue.amount for month in cohorts[0].months] == ["0.0000", "1.0000"]
    assert cohorts_of([]) == {"data": []}


def test_the_changes_of_a_figure_come_together() -> None:
    row = {
        "month": "2011-01", "complete": True, "units": 1, "lines": 1, "active_customers": 1,
        "sales_revenue": Decimal(1), "net": Decimal(2),
        "sales_revenue_on_previous_month": Decimal("0.1"), "sales_revenue_on_previous_year": None,
        "net_on_previous_month": None, "net_on_previous_year": Decimal("-0.2"),
    }  # fmt: skip
    (trend,) = Trends.model_validate(trends_of([row]), context=SHOWN).data
    assert trend.sales_revenue_change == Change(on_previous_month="0.1000", on_previous_year=None)
    assert trend.net_change == Change(on_previous_month=None, on_previous_year="-0.2000")
    assert trends_of([]) == {"data": []}
