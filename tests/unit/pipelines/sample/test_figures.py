import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.sample import generate_sample, run_here
from pipelines.sample.cells import price_value, price_values
from pipelines.sample.figures import add_figures, money_text
from tests.unit.pipelines.sample.conftest import Made
from tests.unit.pipelines.sample.recount import recount

MONEY = ("money", "net_by_month", "sale_revenue")


@pytest.mark.parametrize(("lines", "seed"), [(1_000, 1), (2_345, 2), (9_000, 3), (20_000, 4)])
def test_the_oracle_equals_a_count_of_the_files(tmp_path: Path, lines: int, seed: int) -> None:
    report = generate_sample(lines, seed, tmp_path, spread=run_here)
    expected = json.loads(report.expected.read_text())
    counted = recount(report.data)
    assert counted.pop("dead") == sum(expected["dead_letters"].values())
    assert counted["lines"] == lines
    assert {name: decimals(expected[name]) if name in MONEY else expected[name] for name in counted} == counted


def test_each_faulty_line_has_one_fault_and_is_stated(made: Made) -> None:
    stated = made.expected["stated"]
    assert made.expected["rejected_by_rule"] == {rule: stated[rule] for rule in made.expected["rejected_by_rule"]}
    assert len(made.expected["rejected_by_rule"]) == 8
    assert all(len(line.errors) <= 1 for lines in made.files for line in lines)
    assert made.expected["warnings"]["rounded_price"] == stated["rounded_price"]
    assert made.expected["warnings"]["unknown_country"] == stated["unknown_country"]
    assert made.expected["warnings"]["normalised_code"] == stated["lower_case_code"]
    assert made.expected["warnings"]["repeated_line"] > 0


def test_the_books_balance(made: Made) -> None:
    figures = made.expected
    assert figures["read"] == figures["accepted"] + figures["rejected"] + figures["merged"]
    assert figures["lines"] == figures["read"] + sum(figures["dead_letters"].values()) == made.report.lines
    money = decimals(figures["money"])
    assert money["read"] == money["accepted"] + money["rejected"] + money["merged"]
    assert sum(decimals(figures["net_by_month"]).values()) == money["accepted"]
    assert sum(figures["line_types"].values()) == figures["accepted"]


def test_no_float_is_written_and_money_has_four_decimals(made: Made) -> None:
    def refuse(text: str) -> Any:
        raise AssertionError(text)

    read = json.loads(made.report.expected.read_text(), parse_float=refuse)
    texts = [*read["money"].values(), *read["net_by_month"].values(), read["sale_revenue"]]
    assert all(text.partition(".")[2].isdigit() and len(text.partition(".")[2]) == 4 for text in texts)
    assert price_values().dtype == np.int64


@pytest.mark.parametrize(
    ("text", "value"),
    [("2.55", 25_500), ("2.55125", 25_512), ("12.75005", 127_500), ("4.99995", 50_000), ("-0.00015", -2),
     ("1.23456", 12_346), ("n/a", None), ("", None)],
)  # fmt: skip
def test_prices_are_rounded_half_to_even(text: str, value: int | None) -> None:
    assert price_value(text) == value


@given(st.integers(-(10**20), 10**20))
def test_money_text_is_exact(ten_thousandths: int) -> None:
    assert Decimal(money_text(ten_thousandths)) == Decimal(ten_thousandths).scaleb(-4)


def test_figures_of_files_are_added_and_customers_counted_once() -> None:
    total = add_figures([part(customers=0b1100, net={"2023-01": 5}), part(customers=0b0110, net={"2023-02": 70_001})])
    assert (total["customers"], total["read"], total["money"]["read"]) == (3, 12, "0.0012")
    assert total["net_by_month"] == {"2023-01": "0.0005", "2023-02": "7.0001"}


def part(customers: int, net: dict[str, int]) -> dict[str, Any]:
    return {
        "lines": 6, "dead_letters": {}, "accepted": 1, "rejected": 2, "merged": 3, "sale_revenue": 1,
        "money": {"accepted": 1, "rejected": 2, "merged": 3}, "net_by_month": net, "products": 1,
        "customers": customers,
    }  # fmt: skip


def decimals(value: Any) -> Any:
    return Decimal(value) if isinstance(value, str) else {name: Decimal(text) for name, text in value.items()}
