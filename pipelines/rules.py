"""Every rule about a sales line, once: id, severity, weight, reason and when it holds; knows no file and no table.

An error refuses the line, a warning takes its weight off the line's score. docs/rules.md is generated from this list.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import polars as pl

ADJUSTMENT_PREFIX = "A"
CANCELLED_PREFIX = "C"
DISCOUNT_CODE = "D"
FEE_CODES = ("POST", "DOT", "C2", "C3", "M", "BANK CHARGES", "AMAZONFEE", "CRUK", "S", "B", "ADJUST", "ADJUST2")
"""Codes of both editions of UCI Online Retail that stand for a charge, not for goods."""
LINE_TYPES = ("adjustment", "discount", "fee", "write_off", "return", "sale")
"""In order of precedence."""

LARGEST_QUANTITY = 10**6
PRICE_LIMIT = Decimal(10) ** 8
AMOUNT_LIMIT = Decimal(10) ** 10
"""What NUMERIC(14,4) holds: a price and a quantity within their limits can still give more."""


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        rule_id: Its name in `rule_ids`, `validation_errors` and every report.
        severity: `error` refuses the line; `warning` keeps it with a lower score.
        weight: What a warning takes off the score, 0 to 1.
        reason: What is wrong and why it matters, one sentence.
        holds: When it holds, over the columns of `typed_lines` (null counts as no).
    """

    rule_id: str
    severity: Literal["error", "warning"]
    weight: Decimal
    reason: str
    holds: pl.Expr


def _error(rule_id: str, reason: str, holds: pl.Expr) -> Rule:
    return Rule(rule_id, "error", Decimal(0), reason, holds)


def _warning(rule_id: str, weight: str, reason: str, holds: pl.Expr) -> Rule:
    return Rule(rule_id, "warning", Decimal(weight), reason, holds)


_INVOICE, _QUANTITY, _PRICE = pl.col("invoice_no"), pl.col("quantity"), pl.col("unit_price")
_IS_ADJUSTMENT = _INVOICE.str.starts_with(ADJUSTMENT_PREFIX).fill_null(value=False)

ERRORS: tuple[Rule, ...] = (
    _error("missing_invoice", "The line names no invoice.", _INVOICE.is_null()),
    _error("missing_stock_code", "The line names no product.", pl.col("stock_code").is_null()),
    _error("bad_quantity", "The quantity is not a whole number of at most 15 digits.", _QUANTITY.is_null()),
    _error("zero_quantity", "A quantity of zero moves nothing.", _QUANTITY == 0),
    _error("bad_date", "The time is missing, impossible or in the other date order.", pl.col("invoice_ts").is_null()),
    _error("bad_price", "The price is not a number below 10¹⁴.", _PRICE.is_null()),
    _error("negative_price", "A price below zero outside an adjustment (invoice A…).", (_PRICE < 0) & ~_IS_ADJUSTMENT),
    _error(
        "out_of_range",
        "|quantity| above 10⁶, |price| from 10⁸ or |amount| from 10¹⁰: a slip, and more than the columns hold.",
        (_QUANTITY.abs() > LARGEST_QUANTITY) | (_PRICE.abs() >= PRICE_LIMIT) | (pl.col("amount").abs() >= AMOUNT_LIMIT),
    ),
)

WARNINGS: tuple[Rule, ...] = (
    _warning("guest", "0.10", "No customer is named.", pl.col("customer_id").is_null()),
    _warning("missing_description", "0.10", "No description is given.", pl.col("description").is_null()),
    _warning("zero_price", "0.10", "The price is zero.", _PRICE == 0),
    _warning(
        "unknown_country", "0.10", "The country is not known; it is kept as Unspecified.", ~pl.col("country_known")
    ),
    _warning("rounded_price", "0.05", "The price has more than 4 decimals and was rounded.", pl.col("price_rounded")),
    _warning(
        "bad_discount", "0.05", "The discount is not an amount; it is kept as missing.", pl.col("discount_unread")
    ),
    _warning("repeated_line", "0.05", "An equal line stands before it in the file.", pl.col("occurrence") > 1),
    _warning("normalised_code", "0.02", "The stock code had blanks or lower-case letters.", pl.col("code_changed")),
    _warning(
        "future_date", "0.20", "The time lies after the ingestion.", pl.col("invoice_ts") > pl.col("ingested_local")
    ),
)

RULES = ERRORS + WARNINGS
_LATE_WARNINGS = frozenset({"repeated_line"})
"""Known only once the whole file has been counted."""


def judge_errors(lines: pl.DataFrame) -> pl.Series:
    """Find the errors of each line.

    Args:
        lines: Columns of `typed_lines`.

    Returns:
        `errors`: Int32, bit i set where `ERRORS[i]` holds; 0 is an accepted line.
    """
    return _mask(lines, ERRORS, "errors")


def judge_warnings(lines: pl.DataFrame) -> pl.Series:
    """Find the warnings that a line shows by itself.

    Args:
        lines: Columns of `typed_lines`, and ingested_local (Datetime without zone).

    Returns:
        `warnings`: Int32, bit i set where `WARNINGS[i]` holds.
    """
    return _mask(lines, WARNINGS, "warnings", skip=_LATE_WARNINGS)


def judge_repeats(lines: pl.DataFrame) -> pl.Series:
    """Add the warnings that need the whole file to be counted.

    Args:
        lines: warnings (Int32) and occurrence.

    Returns:
        `warnings`, with the bit of `repeated_line` set where it holds.
    """
    place = next(i for i, rule in enumerate(WARNINGS) if rule.rule_id == "repeated_line")
    holds = WARNINGS[place].holds
    return lines.select(pl.col("warnings") | pl.when(holds).then(1 << place).otherwise(0).cast(pl.Int32)).to_series()


def _mask(lines: pl.DataFrame, rules: Sequence[Rule], name: str, skip: frozenset[str] = frozenset()) -> pl.Series:
    bits = [
        pl.when(rule.holds).then(1 << place).otherwise(0).cast(pl.Int32)
        for place, rule in enumerate(rules)
        if rule.rule_id not in skip
    ]
    return lines.select(pl.sum_horizontal(bits).cast(pl.Int32).alias(name)).to_series()


def rule_ids(mask: int, rules: Sequence[Rule]) -> list[str]:
    """Name the rules of a bit mask, sorted."""
    return sorted(rule.rule_id for place, rule in enumerate(rules) if mask >> place & 1)


def score(mask: int) -> Decimal:
    """Give the quality score of a line with these warnings: 1 − Σ weights, not below 0, two decimals."""
    lost = sum((rule.weight for place, rule in enumerate(WARNINGS) if mask >> place & 1), Decimal(0))
    return max(Decimal("1.00") - lost, Decimal("0.00"))


def verdicts(masks: pl.Series) -> pl.DataFrame:
    """Spell out warning masks.

    Args:
        masks: Int32 masks of warnings, one per line.

    Returns:
        One row per line: data_quality_score (Decimal(3, 2)), validation_errors (list of text).
    """
    distinct = masks.unique()
    spelled = pl.DataFrame(
        {
            "mask": distinct,
            "data_quality_score": pl.Series([score(mask) for mask in distinct], dtype=pl.Decimal(3, 2)),
            "validation_errors": pl.Series([rule_ids(mask, WARNINGS) for mask in distinct], dtype=pl.List(pl.String)),
        }
    )
    return masks.to_frame("mask").join(spelled, on="mask", how="left", maintain_order="left").drop("mask")


def count_rules(masks: pl.Series, amounts: pl.Series, rules: Sequence[Rule]) -> dict[str, tuple[int, Decimal]]:
    """Count the lines of each rule.

    Args:
        masks: Int32 masks, one per line.
        amounts: Money of each line; null counts as nothing.
        rules: The rules of the mask.

    Returns:
        Rule id → (lines, money), rules without a line left out.
    """
    groups = pl.DataFrame({"mask": masks, "amount": amounts}).group_by("mask").agg(pl.len(), pl.col("amount").sum())
    counts: dict[str, tuple[int, Decimal]] = {}
    for mask, lines, money in groups.iter_rows():
        for rule_id in rule_ids(mask, rules):
            before = counts.get(rule_id, (0, Decimal(0)))
            counts[rule_id] = (before[0] + lines, before[1] + money)
    return counts


def line_types() -> pl.Expr:
    """Give the kind of a line, exactly one of `LINE_TYPES`, over the columns of `typed_lines`."""
    return (
        pl.when(_IS_ADJUSTMENT)
        .then(pl.lit("adjustment"))
        .when(pl.col("stock_code") == DISCOUNT_CODE)
        .then(pl.lit("discount"))
        .when(pl.col("stock_code").is_in(list(FEE_CODES)))
        .then(pl.lit("fee"))
        .when((_QUANTITY < 0) & (_PRICE == 0))
        .then(pl.lit("write_off"))
        .when(is_cancelled() | (_QUANTITY < 0))
        .then(pl.lit("return"))
        .otherwise(pl.lit("sale"))
    )


def is_cancelled() -> pl.Expr:
    """Whether the invoice is a cancellation (C…)."""
    return _INVOICE.str.starts_with(CANCELLED_PREFIX)


def is_sale() -> pl.Expr:
    """Whether the line is a sale as published figures count it: not cancelled, quantity > 0, price > 0."""
    return ~is_cancelled() & (_QUANTITY > 0) & (_PRICE > 0)
