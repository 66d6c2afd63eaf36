"""The fixed vocabulary of the sample: prices, codes that are no goods, countries, odd descriptions, faulty cells.

A price is its text and, beside it, its value as a whole number of 1/10000; it knows no line.
"""

from decimal import ROUND_HALF_EVEN, Decimal
from itertools import accumulate

import numpy as np

from pipelines.sample.plan import Ints

GOODS_PRICES = (
    "0.19", "0.21", "0.29", "0.379", "0.39", "0.42", "0.55", "0.65", "0.785", "0.79", "0.85", "1.06", "1.25", "1.255",
    "1.45", "1.49", "1.65", "1.69", "1.95", "2.08", "2.10", "2.125", "2.46", "2.55", "2.89", "2.95", "3.29", "3.39",
    "3.75", "4.13", "4.165", "4.25", "4.95", "5.79", "5.95", "6.25", "6.75", "7.95", "8.29", "8.50", "9.95", "10.95",
    "12.75", "14.95", "16.95", "19.95", "24.96", "39.95", "49.95", "165.00",
)  # fmt: skip
FEE_PRICES = ("1.00", "3.50", "10.00", "15.00", "18.00", "28.00", "40.00", "105.94", "473.605", "950.00", "6887.96")
ROUNDED_PRICES = ("2.55125", "1.23456", "4.99995", "3.123449", "0.850050001", "12.75005")
ZERO_PRICES = ("0.00", "0", "0.000")
HUGE_PRICES = ("100000000.00", "123456789.505")
ADJUSTMENT_PRICES = ("11062.06", "-11062.06")
BAD_PRICES = ("n/a", "", "£2.55", '"1,99"', "2.5.5", "-")
"""As they stand in the file: the one with a comma is quoted."""
NEGATIVE_PRICES = tuple(f"-{text}" for text in GOODS_PRICES)

_PARTS = (
    GOODS_PRICES, FEE_PRICES, ROUNDED_PRICES, ZERO_PRICES, HUGE_PRICES, ADJUSTMENT_PRICES, NEGATIVE_PRICES, BAD_PRICES,
)  # fmt: skip
_STARTS = tuple(accumulate((len(part) for part in _PARTS), initial=0))
GOODS_PRICE, FEE_PRICE, ROUNDED_PRICE, ZERO_PRICE, HUGE_PRICE, ADJUSTMENT_PRICE, NEGATIVE_PRICE, BAD_PRICE = _STARTS[
    :-1
]
"""Place of the first price of each kind in `PRICE_TEXTS`."""
PRICE_TEXTS = tuple(text for part in _PARTS for text in part)

FEE_CODES = ("POST", "DOT", "C2", "M", "BANK CHARGES", "AMAZONFEE", "CRUK", "S")
FEE_NAMES = (
    "POSTAGE", "DOTCOM POSTAGE", "CARRIAGE", "Manual", "Bank Charges", "AMAZON FEE", "CRUK Commission", "SAMPLES",
)  # fmt: skip
POST, DOT, CARRIAGE, MANUAL, BANK, AMAZON, CRUK, SAMPLES = range(len(FEE_CODES))
DISCOUNT_CODE, DISCOUNT_NAME = "D", "Discount"
BAD_DEBT_CODE, BAD_DEBT_NAME = "B", "Adjust bad debt"

COUNTRIES = (
    "United Kingdom", "EIRE", "Germany", "France", "Netherlands", "Spain", "Switzerland", "Belgium", "Portugal",
    "Unspecified", "Channel Islands", "Australia", "Sweden", "Italy", "Cyprus", "Finland", "Austria", "Norway",
    "Denmark", "Greece", "RSA", "Japan", "USA", "Poland", "Malta", "Hong Kong", "Singapore", "Canada", "Iceland",
    "Lithuania", "United Arab Emirates", "Israel", "European Community", "Korea", "Bahrain", "Brazil", "Thailand",
    "Lebanon", "Bermuda", "Saudi Arabia", "Czech Republic", "Nigeria", "West Indies",
)  # fmt: skip
"""All names of both editions of UCI Online Retail, by their share."""
UNKNOWN_COUNTRIES = ("Atlantis", "Lilliput", "Erewhon", "n/a")
UNITED_KINGDOM = 0
UNITED_KINGDOM_SHARE = 0.90

ODD_DESCRIPTIONS = (
    "damaged", "?", "lost", "check", "thrown away", "smashed", "wet/rusty", "missing?", "sold as set, on dotcom",
    "counted: \"found\" again", "faulty", "dagamed", "wrongly marked\ncarton",
)  # fmt: skip

BAD_QUANTITIES = ("abc", "1.5", "", "12 pcs", "1e", "--3")
BAD_DATES = ("2023-02-30 10:00:00", "yesterday", "", "2023-13-01 08:26:00", "2023-06-15 25:61:00", "0")


def price_value(text: str) -> int | None:
    """Give a price in 1/10000, rounded half to even; None where the cell is no number."""
    try:
        return int(Decimal(text).scaleb(4).quantize(Decimal(1), ROUND_HALF_EVEN))
    except ArithmeticError:
        return None


def price_values() -> Ints:
    """Give the value of each price of `PRICE_TEXTS`; 0 where it is no number, so that it carries no money."""
    return np.array([price_value(text) or 0 for text in PRICE_TEXTS], dtype=np.int64)
