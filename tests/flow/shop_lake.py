"""A lake of a test: runs the lake's steps as a run does, each call a run of its own."""

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from cluster.lakehouse import Lakehouse, LakeWriter
from cluster.lease import Lease
from cluster.settings import Settings, load_settings
from cluster.storage import Storage
from pipelines import bronze, gold, silver
from pipelines.content_hash import HASHED, content_hash
from pipelines.joins import basket_pairs, customer_monthly
from pipelines.joins.engines import Engines
from pipelines.scratch import remove_dead_scratch
from pipelines.steps import StepContext, StepResult

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
LAKE_STEPS = ("bronze", "silver", "gold", "customer_monthly", "basket_pairs")
numbers = itertools.count(1)


@dataclass
class Platform:
    """All tables of the lake below one home."""

    home: Path
    settings: dict[str, Any] = field(default_factory=dict)

    def run(self, *inputs: Path, carry: bool = True, steps: Sequence[str] = LAKE_STEPS) -> list[StepResult]:
        """Run steps in order; give their results."""
        settings = self.read_settings()
        storage = Storage.of(settings)
        with Lease.take(storage, f"run-{next(numbers):04}", 600) as lease:
            context = StepContext(settings, LakeWriter(storage, lease))
            results, carried = [], None
            with Engines(context) as engines:
                makers = {
                    "gold": gold.build,
                    "customer_monthly": customer_monthly.build,
                    "basket_pairs": basket_pairs.build,
                }
                for step in steps:
                    if step == "bronze":
                        result, carried = bronze.ingest(context, [str(path) for path in inputs], carry=carry)
                    elif step == "silver":
                        result = silver.refine(context, carried)
                    else:
                        result = makers[step](context, engines)
                    results.append(result)
            remove_dead_scratch(storage, "")
        return results

    def read_settings(self) -> Settings:
        return load_settings(home=self.home, **self.settings)

    @property
    def lake(self) -> Lakehouse:
        return Lakehouse(Storage.of(self.read_settings()))

    def hashes(self) -> dict[str, str]:
        """Hash the newest version of every table there is."""
        versions = {table: self.lake.version(table) for table in HASHED}
        return {table: content_hash(self.lake, table, v) for table, v in versions.items() if v is not None}

    def versions(self) -> dict[str, int | None]:
        return {table: self.lake.version(table) for table in HASHED}

    def table(self, name: str) -> pl.DataFrame:
        return self.lake.scan(name).collect()


def line(
    invoice: str = "536365", code: str = "85123A", text: str = "HEART", quantity: str = "6",
    at: str = "2010-12-01 08:26:00", price: str = "2.55", customer: str = "17850", country: str = "United Kingdom",
) -> str:  # fmt: skip
    """Give one CSV line; the defaults are a good one."""
    return ",".join((invoice, code, text, quantity, at, price, customer, country))


def write(path: Path, lines: Sequence[str], header: str = HEADER) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def shop_days(seed: int, days: int = 6, lines_a_day: int = 25) -> list[list[str]]:
    """Make days of sales: changing descriptions and countries, guests, returns, equal lines, refused lines."""
    rng = random.Random(seed)
    made = []
    for day in range(days):
        lines = []
        for number in range(lines_a_day):
            product = rng.randrange(6)
            lines.append(
                line(
                    invoice=("C" if rng.random() < 0.1 else "") + str(10_000 + day * 100 + number // 3),
                    code=f"2{product:04}A",
                    text=rng.choice([f"THING {product}", f"THING {product} NEW", ""]),
                    quantity=rng.choice(["1", "2", "-3", "0", "x"] if rng.random() < 0.2 else ["4", "6"]),
                    at=f"2011-{1 + day // 2:02}-{10 + day:02} {9 + number % 8:02}:{number % 60:02}:00",
                    price=rng.choice(["2.55", "0.123", "10", "0"]),
                    customer=rng.choice(["", "17850", "17851", "17852"]),
                    country=rng.choice(["United Kingdom", "France", "Atlantis"]),
                )
            )
        lines.append(lines[0])
        made.append(lines)
    return made
