"""What the shop sells and to whom: products with changing descriptions, customers with countries; knows no line.

It is made from seed and size alone, so every task makes the same one for itself.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from pipelines.sample.cells import (
    BAD_DEBT_CODE,
    BAD_DEBT_NAME,
    COUNTRIES,
    DISCOUNT_CODE,
    DISCOUNT_NAME,
    FEE_CODES,
    FEE_NAMES,
    GOODS_PRICES,
    ODD_DESCRIPTIONS,
    UNITED_KINGDOM_SHARE,
)
from pipelines.sample.plan import Bools, Ints, random_stream

Floats = npt.NDArray[np.float64]

WORDINGS = 4
"""Texts of a product: three that follow each other in time, and one that contradicts them."""
FIRST_CUSTOMER = 12_346
MOVERS_SHARE = 0.03

_LOOKS = ("WHITE", "RED", "BLUE", "PINK", "VINTAGE", "RETRO", "IVORY", "GREEN", "WOODEN", "GLASS", "JUMBO", "SMALL")
_THEMES = ("HEART", "ROSE", "STAR", "POLKADOT", "UNION FLAG", "SPACEBOY", "WOODLAND", "CHRISTMAS", "PAISLEY", "LACE")
_KINDS = (
    "T-LIGHT HOLDER", "LUNCH BAG", "CAKE CASES", "BUNTING", "MUG", "TEA TOWEL", "ALARM CLOCK", "LANTERN", "SHOPPER",
    "PAPER NAPKINS", "DOORMAT", "PHOTO FRAME", "HOT WATER BOTTLE", "RETROSPOT PARASOL",
)  # fmt: skip


@dataclass(frozen=True)
class Catalogue:
    """Tables that lines point into by number.

    Attributes:
        codes: Stock codes: goods, then `FEE_CODES`, then the code of discounts, that of bad debts, and none.
        goods: How many of them are goods.
        has_letter: Per code.
        product_odds: Cumulated share of each of the goods in sales, a long tail.
        price: Per good, its place in `GOODS_PRICES`.
        wording_changes: Per good, two shares of the year at which its description changes; above 1 never.
        descriptions: `WORDINGS` per good, then one per code that is no goods, then `ODD_DESCRIPTIONS`, then none.
        same_description: Per description, the first one that reads the same.
        customer_odds: Cumulated share of each customer, a long tail.
        country: Per customer, its first country.
        next_country: Per customer, its second country.
        moves: Per customer, the share of the sample's days at which it moves; above 1 never.
        country_odds: Cumulated share of each country.
    """

    codes: tuple[str, ...]
    goods: int
    has_letter: Bools
    product_odds: Floats
    price: Ints
    wording_changes: Floats
    descriptions: tuple[str, ...]
    same_description: Ints
    customer_odds: Floats
    country: Ints
    next_country: Ints
    moves: Floats
    country_odds: Floats

    @property
    def fee_code(self) -> int:
        """Place of the first fee."""
        return self.goods

    @property
    def discount_code(self) -> int:
        """Place of the code of discounts."""
        return self.goods + len(FEE_CODES)

    @property
    def bad_debt_code(self) -> int:
        """Place of the code of adjustments."""
        return self.discount_code + 1

    @property
    def no_code(self) -> int:
        """Place of the empty code."""
        return self.discount_code + 2

    @property
    def odd_description(self) -> int:
        """Place of the first odd description."""
        return self.goods * WORDINGS + len(FEE_CODES) + 2

    @property
    def no_description(self) -> int:
        """Place of the empty description."""
        return len(self.descriptions) - 1

    def description_of_code(self, codes: Ints) -> Ints:
        """Give the place of the description of codes that are no goods."""
        return codes + self.goods * (WORDINGS - 1)


@lru_cache(maxsize=2)
def make_catalogue(lines: int, seed: int) -> Catalogue:
    """Make the catalogue of a sample.

    Args:
        lines: Lines of the sample; a larger shop has more products and customers.
        seed: The sample's seed.

    Returns:
        The catalogue.
    """
    rng = random_stream(seed, 1)
    goods = int(min(max(lines // 25, 60), 4_000))
    customers = int(min(max(lines // 80, 40), 500_000))
    codes = (*_codes(goods, rng), *FEE_CODES, DISCOUNT_CODE, BAD_DEBT_CODE, "")
    descriptions = (*_descriptions(goods, rng), *FEE_NAMES, DISCOUNT_NAME, BAD_DEBT_NAME, *ODD_DESCRIPTIONS, "")
    country_odds = _country_odds()
    return Catalogue(
        codes=codes,
        goods=goods,
        has_letter=np.array([code != code.lower() for code in codes]),
        product_odds=_long_tail(goods, rng),
        price=np.clip(rng.normal(20, 11, goods), 1, len(GOODS_PRICES) - 2).astype(np.int64),
        wording_changes=_wording_changes(goods, rng),
        descriptions=descriptions,
        same_description=_same(descriptions),
        customer_odds=_long_tail(customers, rng),
        country=draw_from(country_odds, customers, rng),
        next_country=draw_from(country_odds, customers, rng),
        moves=np.where(rng.random(customers) < MOVERS_SHARE, rng.random(customers), 2.0),
        country_odds=country_odds,
    )


def draw_from(odds: Floats, count: int, rng: np.random.Generator) -> Ints:
    """Draw places by cumulated odds."""
    return np.searchsorted(odds, rng.random(count), side="right").clip(max=len(odds) - 1).astype(np.int64)


def _long_tail(count: int, rng: np.random.Generator) -> Floats:
    """Cumulate Zipf-Mandelbrot odds, the ranks in random order."""
    odds = rng.permutation(1.0 / (np.arange(count) + 6.0) ** 0.95)
    return np.cumsum(odds / odds.sum())


def _country_odds() -> Floats:
    tail = 1.0 / (np.arange(len(COUNTRIES) - 1) + 1.0) ** 1.2
    return np.cumsum(np.concatenate(([UNITED_KINGDOM_SHARE], tail / tail.sum() * (1 - UNITED_KINGDOM_SHARE))))


def _wording_changes(goods: int, rng: np.random.Generator) -> Floats:
    """Let a third of the products change their text once and a tenth twice."""
    chance = rng.random(goods)
    times = np.sort(rng.random((goods, 2)), axis=1)
    times[chance > 0.1, 1] = 2.0
    times[chance > 0.33, 0] = 2.0
    return times


def _codes(goods: int, rng: np.random.Generator) -> list[str]:
    """Make distinct codes: five digits, one in four with a letter."""
    numbers = 20_000 + rng.choice(70_000, goods, replace=False)
    letters = rng.choice(list("ABCDEFGLMNPSW"), goods)
    with_letter = rng.random(goods) < 0.25
    return [
        f"{number}{letter if has else ''}" for number, letter, has in zip(numbers, letters, with_letter, strict=True)
    ]


def _descriptions(goods: int, rng: np.random.Generator) -> list[str]:
    looks, themes, kinds = (rng.integers(len(words), size=goods) for words in (_LOOKS, _THEMES, _KINDS))
    texts: list[str] = []
    for place, (look, theme, kind) in enumerate(zip(looks, themes, kinds, strict=True)):
        first = f"{_LOOKS[look]} {_THEMES[theme]} {_KINDS[kind]}"
        renamed = f"{_THEMES[theme]} {_KINDS[kind]} {_LOOKS[look]}"
        texts += [_odd(first, place), renamed, f"SET/{place % 11 + 2} {renamed}", f"{_KINDS[kind]} (wrong label)"]
    return texts


def _odd(text: str, place: int) -> str:
    """Give a few texts what CSV has to quote."""
    match place % 50:
        case 7:
            return f"{text}, BOXED"
        case 21:
            return f'12" {text}'
        case 33:
            return text.replace(" ", "\n", 1)
    return text


def _same(descriptions: tuple[str, ...]) -> Ints:
    """Find the first description that reads the same once blanks are single."""
    first: dict[str, int] = {}
    return np.array([first.setdefault(" ".join(text.split()), at) for at, text in enumerate(descriptions)], np.int64)
