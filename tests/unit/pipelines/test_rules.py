from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines import rules
from pipelines.refine import Refined, refine_batch
from pipelines.rules import ERRORS, RULES, WARNINGS, judge_repeats, rule_ids, verdicts
from tests.unit.pipelines.bronze_cells import GOOD, bronze_of
from tests.unit.pipelines.oracle import WEIGHTS, judge

CASES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "missing_invoice": ({"invoice_no": " "}, {"invoice_no": "0"}),
    "missing_stock_code": ({"stock_code": ""}, {"stock_code": "0"}),
    "bad_quantity": ({"quantity": "1.5"}, {"quantity": "1.0"}),
    "zero_quantity": ({"quantity": "0"}, {"quantity": "-1"}),
    "bad_date": ({"invoice_date": "2010-02-29"}, {"invoice_date": "2010-02-28"}),
    "bad_price": ({"unit_price": "free"}, {"unit_price": "0.001"}),
    "negative_price": ({"unit_price": "-0.01"}, {"unit_price": "-0.01", "invoice_no": "a1"}),
    "out_of_range": ({"quantity": "-1000001"}, {"quantity": "-1000000"}),
    "guest": ({"customer_id": ""}, {"customer_id": "0"}),
    "missing_description": ({"description": " "}, {"description": "?"}),
    "zero_price": ({"unit_price": "0.000"}, {"unit_price": "0.0001"}),
    "unknown_country": ({"country": "Atlantis"}, {"country": "unspecified"}),
    "rounded_price": ({"unit_price": "1.00001"}, {"unit_price": "1.00010"}),
    "bad_discount": ({"discount_amount": "ten"}, {"discount_amount": "-10"}),
    "normalised_code": ({"stock_code": "85123a"}, {"stock_code": "85123A"}),
    "future_date": ({"invoice_date": "2012-01-01 12:00:01"}, {"invoice_date": "2012-01-01 12:00:00"}),
}
"""Rule → a line that differs from a good one in what it is about, and one that just does not break it."""
MORE_OUT_OF_RANGE = (
    {"unit_price": "100000000", "quantity": "1"},
    {"unit_price": "99999", "quantity": "1000000"},
    {"unit_price": "99999999999999", "quantity": "999999999999999"},
    {"unit_price": "-100000000", "quantity": "1", "invoice_no": "A1"},
)


def refine(*lines: dict[str, str]) -> Refined:
    return refine_batch(bronze_of(lines), "month_first", "Europe/London")


def ids_of(line: dict[str, str]) -> list[str]:
    """Name the rules that a line breaks by itself."""
    refined = refine(line)
    if refined.rejected.height:
        return rule_ids(refined.rejected["errors"][0], ERRORS)
    return rule_ids(refined.accepted["warnings"][0], WARNINGS)


def test_every_rule_has_a_case() -> None:
    assert {*CASES, "repeated_line"} == {rule.rule_id for rule in RULES}
    assert len(RULES) == len({rule.rule_id for rule in RULES})


@pytest.mark.parametrize("rule_id", CASES)
def test_a_rule_holds_exactly_where_it_says(rule_id: str) -> None:
    breaks, keeps = CASES[rule_id]
    assert ids_of(breaks) == [rule_id]
    assert rule_id not in ids_of(keeps)
    assert ids_of({}) == []


@pytest.mark.parametrize("line", MORE_OUT_OF_RANGE)
def test_price_and_amount_are_out_of_range_too(line: dict[str, str]) -> None:
    assert ids_of(line) == ["out_of_range"]
    assert ids_of({"unit_price": "9999.9999", "quantity": "1000000"}) == []
    assert ids_of({"unit_price": "99999999.9999", "quantity": "99"}) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.rule_id)
def test_without_a_rule_its_line_is_judged_otherwise(rule: rules.Rule, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cases notice a rule that never holds: what the table above says is not said by another rule as well."""
    name = "ERRORS" if rule in ERRORS else "WARNINGS"
    mutated = [replace(one, holds=pl.lit(value=False)) if one is rule else one for one in getattr(rules, name)]
    if rule.rule_id == "repeated_line":
        repeats = pl.DataFrame({"warnings": [0, 0], "occurrence": [1, 2]}, schema_overrides={"warnings": pl.Int32})
        before = judge_repeats(repeats).to_list()
        monkeypatch.setattr(rules, name, mutated)
        assert judge_repeats(repeats).to_list() != before
        return
    before = ids_of(CASES[rule.rule_id][0])
    monkeypatch.setattr(rules, name, mutated)
    assert ids_of(CASES[rule.rule_id][0]) != before


@pytest.mark.parametrize(("weight_of", "weight"), WEIGHTS.items())
def test_weights_are_those_of_the_specification(weight_of: str, weight: str) -> None:
    rule = next(rule for rule in WARNINGS if rule.rule_id == weight_of)
    assert rule.weight == Decimal(weight)
    assert rule.reason.endswith(".")


def test_errors_have_no_weight_and_all_warnings_together_leave_a_score_above_zero() -> None:
    assert {rule.weight for rule in ERRORS} == {Decimal(0)}
    assert rules.score(0) == Decimal("1.00")
    assert rules.score(2 ** len(WARNINGS) - 1) == Decimal("0.23")
    assert sum(map(Decimal, WEIGHTS.values())) == Decimal("0.77")


def test_masks_are_spelled_out_sorted_with_their_score() -> None:
    names = [rule.rule_id for rule in WARNINGS]
    two = 1 << names.index("zero_price") | 1 << names.index("future_date")
    spelled = verdicts(pl.Series([two, 0, two], dtype=pl.Int32))
    assert spelled["validation_errors"].to_list() == [["future_date", "zero_price"], [], ["future_date", "zero_price"]]
    assert spelled["data_quality_score"].to_list() == [Decimal("0.70"), Decimal("1.00"), Decimal("0.70")]
    assert spelled.schema["data_quality_score"] == pl.Decimal(3, 2)
    assert verdicts(pl.Series([], dtype=pl.Int32)).height == 0


def test_rules_are_counted_with_their_money() -> None:
    masks = pl.Series([0b01, 0b11, 0b01, 0], dtype=pl.Int32)
    amounts = pl.Series([Decimal("1.5"), Decimal(2), None, Decimal(9)], dtype=pl.Decimal(38, 4))
    first, second = (rule.rule_id for rule in ERRORS[:2])
    assert rules.count_rules(masks, amounts, ERRORS) == {first: (3, Decimal("3.5")), second: (1, Decimal(2))}


@pytest.mark.parametrize(
    ("line", "kind", "sale"),
    [
        ({}, "sale", True),
        ({"unit_price": "0"}, "sale", False),
        ({"quantity": "-1"}, "return", False),
        ({"invoice_no": "C1"}, "return", False),
        ({"invoice_no": "c1", "quantity": "-1"}, "return", False),
        ({"quantity": "-1", "unit_price": "0"}, "write_off", False),
        ({"invoice_no": "C1", "quantity": "-1", "unit_price": "0"}, "write_off", False),
        ({"stock_code": "post"}, "fee", True),
        ({"stock_code": "POST", "quantity": "-1", "unit_price": "0"}, "fee", False),
        ({"stock_code": "Bank Charges", "invoice_no": "C1"}, "fee", False),
        ({"stock_code": "D", "invoice_no": "C1", "quantity": "-1"}, "discount", False),
        ({"stock_code": "D"}, "discount", True),
        ({"stock_code": "D", "invoice_no": "A1", "unit_price": "-5"}, "adjustment", False),
        ({"stock_code": "B", "invoice_no": "A563185"}, "adjustment", True),
        ({"stock_code": "DOTCOM"}, "sale", True),
    ],
)
def test_line_types_have_one_order_of_precedence(line: dict[str, str], kind: str, sale: bool) -> None:
    row = refine(line).accepted.row(0, named=True)
    assert (row["line_type"], row["is_sale"]) == (kind, sale)
    assert row["is_return"] == (row["quantity"] < 0)


lines = st.fixed_dictionaries(
    {
        "invoice_no": st.sampled_from(["536365", "C536365", "c1", "A563185", "a1", "", " ", " 9 "]),
        "stock_code": st.sampled_from(["85123A", "85123a", "D", "d", "POST", " m", "bank  charges", "S", "", " "]),
        "description": st.sampled_from(["HEART", "", "  ", "?"]),
        "quantity": st.sampled_from(["1", "-1", "0", "6.0", "x", "", "1.5", "1000000", "1000001", "-1000001", "1e3"])
        | st.integers(-20, 20).map(str),
        "invoice_date": st.sampled_from(
            ["2010-12-01 08:26", "12/1/2010 8:26", "13/1/2010 8:26", "2012-01-01 12:00:00", "2012-01-01 12:00:01",
             "2011-02-29 00:00", "", "soon"]
        ),
        "unit_price": st.sampled_from(["0", "-0", "0.00004", "x", "", "-5", "99999999.9999", "100000000", "10000"])
        | st.decimals(-3, 3, places=5, allow_nan=False).map(str),
        "customer_id": st.sampled_from(["17850", "17850.0", "", " ", "guest"]),
        "country": st.sampled_from(["France", " united  KINGDOM", "Atlantis", "", "EIRE"]),
        "discount_amount": st.sampled_from(["", " ", "1.5", "x", "10000000000"]),
    }
)  # fmt: skip


@given(lines)
@settings(max_examples=400, deadline=None)
@example(dict(GOOD))
def test_any_line_is_judged_as_plain_python_judges_it(line: dict[str, str]) -> None:
    refined = refine(line)
    verdict = judge(line, datetime(2012, 1, 1, 12))
    assert (refined.accepted.height, refined.rejected.height) == ((0, 1) if verdict.errors else (1, 0))
    if verdict.errors:
        assert rule_ids(refined.rejected["errors"][0], ERRORS) == verdict.errors
        return
    row = refined.accepted.row(0, named=True)
    assert rule_ids(row["warnings"], WARNINGS) == verdict.warnings
    assert rules.score(row["warnings"]) == verdict.score
    assert (row["line_type"], row["is_sale"]) == (verdict.line_type, verdict.is_sale)
