"""Decides, from size and seed alone, what is delivered: days, files, second deliveries, odd lines of each kind.

Every figure that files share stands here, so that each file can be made by itself; it knows no line.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Literal

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Again = Literal["", "same", "other"]
"""Whether a day is delivered a second time: not, in the same spelling, or in another one."""

FEWEST_LINES = 1_000
LINES_PER_DAY = 200
FEWEST_DAYS, MOST_DAYS = 5, 600
FILE_LINES = 400_000
"""A file of about 35 MB; also what bounds the memory of a task."""
DAILY_UP_TO, WEEKLY_UP_TO = 14, 70
"""Days of a sample that is delivered in daily, and in weekly files; a longer one comes by month."""
FIRST_INVOICE = 500_000
DAYS_PER_REPEAT = 50

MONTH_WEIGHTS = (0.80, 0.75, 0.95, 0.85, 1.00, 0.95, 0.95, 0.95, 1.35, 1.50, 1.95, 1.30)
WEEKDAY_WEIGHTS = (1.00, 1.10, 1.05, 1.15, 0.95, 0.00, 0.65)
"""Monday to Sunday; like the shop of UCI Online Retail, this one never sells on a Saturday."""

STATED_PER_MILLION = {
    "missing_invoice": 200,
    "missing_stock_code": 200,
    "bad_quantity": 250,
    "zero_quantity": 250,
    "bad_date": 250,
    "bad_price": 250,
    "negative_price": 150,
    "out_of_range": 100,
    "too_short": 100,
    "too_long": 100,
    "unknown_country": 400,
    "missing_description": 1_000,
    "zero_price": 1_000,
    "rounded_price": 500,
    "lower_case_code": 8_000,
    "return": 17_500,
    "write_off": 3_000,
    "discount": 600,
    "credited_fee": 1_600,
    "adjustment_up": 5,
    "adjustment_down": 10,
    "equal_line": 9_000,
}
FEWEST_OF_A_KIND = 2


@dataclass(frozen=True)
class DayPlan:
    """A trading day: its lines, and whether it is delivered again."""

    day: date
    lines: int
    again: Again


@dataclass(frozen=True)
class Delivery:
    """One file, made by one task, and the second deliveries of its days.

    Attributes:
        number: Place among the files; with the seed it gives the random stream.
        name: File name.
        days: Trading days, in order.
        first_invoice: Number of its first invoice; no other file reaches it.
        stated: Kind → lines of that kind.
    """

    number: int
    name: str
    days: tuple[DayPlan, ...]
    first_invoice: int
    stated: dict[str, int]


def random_stream(seed: int, *key: int) -> np.random.Generator:
    """Open the random stream of one part of a sample, the same whichever process asks."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def plan_sample(lines: int, seed: int, start: date) -> list[Delivery]:
    """Cut a sample into files.

    Args:
        lines: Lines of all files, second deliveries and dead letters included.
        seed: Any whole number from 0.
        start: First day on which something may be sold.

    Returns:
        One entry per file; their lines, days delivered again counted twice, sum to `lines`.
    """
    rng = random_stream(seed, 0)
    days = plan_days(lines, start, rng)
    groups = list(_files(days))
    sizes = np.array([sum(day.lines for day in group) for _, group in groups], dtype=np.int64)
    firsts = FIRST_INVOICE + np.concatenate(([0], np.cumsum(sizes)))
    stated = {kind: rng.multinomial(count, sizes / sizes.sum()) for kind, count in stated_counts(lines).items()}
    return [
        Delivery(
            number=number,
            name=f"sales_{key}.csv" + (".gz" if number % 5 == 3 else ""),
            days=tuple(group),
            first_invoice=int(firsts[number]),
            stated={kind: int(shares[number]) for kind, shares in stated.items()},
        )
        for number, (key, group) in enumerate(groups)
    ]


def stated_counts(lines: int) -> dict[str, int]:
    """Say how many lines of each odd kind a sample has, second deliveries not counted."""
    return {kind: max(FEWEST_OF_A_KIND, lines * rate // 1_000_000) for kind, rate in STATED_PER_MILLION.items()}


def plan_days(lines: int, start: date, rng: np.random.Generator) -> list[DayPlan]:
    """Spread lines over trading days by season, weekday and chance.

    Args:
        lines: Lines of all deliveries.
        start: First possible day.
        rng: Random stream.

    Returns:
        Trading days in order.
    """
    count = min(max(lines // LINES_PER_DAY, FEWEST_DAYS), MOST_DAYS)
    days = _trading_days(start, count)
    season = np.array([MONTH_WEIGHTS[day.month - 1] * WEEKDAY_WEIGHTS[day.weekday()] for day in days])
    weights = season * rng.lognormal(0, 0.15, count)
    repeats = np.sort(rng.choice(count, max(2, count // DAYS_PER_REPEAT), replace=False))
    times = np.ones(count, dtype=np.int64)
    times[repeats] = 2
    sizes = np.floor(weights * lines / (weights * times).sum()).astype(np.int64)
    _hand_out(sizes, np.flatnonzero(times == 1), lines - int((sizes * times).sum()))
    again: dict[int, Again] = {int(day): "other" if place % 2 else "same" for place, day in enumerate(repeats)}
    return [DayPlan(day, int(sizes[place]), again.get(place, "")) for place, day in enumerate(days)]


def _trading_days(start: date, count: int) -> list[date]:
    days: list[date] = []
    day = start
    while len(days) < count:
        closed = WEEKDAY_WEIGHTS[day.weekday()] == 0 or (day.month, day.day) in {(12, 25), (12, 26), (1, 1)}
        if not closed:
            days.append(day)
        day += timedelta(days=1)
    return days


def _hand_out(sizes: Ints, places: Ints, rest: int) -> None:
    """Add what rounding left over, line by line, to days that are delivered once."""
    each, more = divmod(rest, len(places))
    sizes[places] += each
    sizes[places[:more]] += 1


def _files(days: Sequence[DayPlan]) -> Iterator[tuple[str, list[DayPlan]]]:
    """Group days into files of a day, a week or a month, none of them above `FILE_LINES` unless a day is."""
    form = "%Y-%m-%d" if len(days) <= DAILY_UP_TO else "%G-W%V" if len(days) <= WEEKLY_UP_TO else "%Y-%m"
    for key, group in groupby(days, lambda day: day.day.strftime(form)):
        parts: list[list[DayPlan]] = [[]]
        for day in group:
            if parts[-1] and sum(other.lines for other in parts[-1]) + day.lines > FILE_LINES:
                parts.append([])
            parts[-1].append(day)
        for number, part in enumerate(parts, start=1):
            yield (key if len(parts) == 1 else f"{key}_{number}", part)
