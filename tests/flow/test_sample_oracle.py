"""The platform against the sample's own oracle, which shares no code with it, and the driver's memory."""

import json
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines import rules
from pipelines.refine import refine_batch
from pipelines.sample import generate_sample, run_here
from tests.flow.shop_lake import Platform
from warehouse_sql.tables.bronze import DEAD_LETTERS
from warehouse_sql.tables.gold import FACT_SALES
from warehouse_sql.tables.silver import TRANSACTIONS

REFRESH = Path(__file__).parents[1] / "cluster" / "refresh.py"
LINES = 8_000


def sample(out: Path, lines: int, seed: int) -> tuple[Path, dict[str, Any]]:
    generate_sample(lines, seed, out, lambda what, done, total: None, spread=run_here)
    return out / "data", json.loads((out / "expected.json").read_text())


def figures(platform: Platform) -> dict[str, Any]:
    """Give the platform's answers under the names of the oracle."""
    notes = platform.lake.history(TRANSACTIONS)[0]
    facts = platform.table(FACT_SALES)
    sales = facts.filter("is_sale")
    by_outcome: dict[str, dict[str, int]] = {}
    for row in notes["rule_counts"]:
        by_outcome.setdefault(row["outcome"], {})[row["rule_id"]] = row["line_count"]
    months = facts.group_by(month=pl.col("invoice_date").dt.strftime("%Y-%m")).agg(pl.col("total_amount").sum())
    return {
        "dead_letters": platform.table(DEAD_LETTERS).height,
        "rejected_by_rule": by_outcome["rejected"],
        "warnings": by_outcome["warned"],
        "net_by_month": {month: Decimal(amount) for month, amount in months.iter_rows()},
        "sale_lines": sales.height,
        "sale_revenue": sales["total_amount"].sum(),
        "guest_lines": facts.filter(pl.col("customer_key") == -1).height,
        "invoices": facts["invoice_no"].n_unique(),
        "line_types": dict(Counter(facts["line_type"])),
    }


def expected_figures(expected: dict[str, Any]) -> dict[str, Any]:
    names = ("rejected_by_rule", "warnings", "sale_lines", "guest_lines", "invoices", "line_types")
    return {
        **{name: expected[name] for name in names},
        "dead_letters": sum(expected["dead_letters"].values()),
        "net_by_month": {month: Decimal(amount) for month, amount in expected["net_by_month"].items()},
        "sale_revenue": Decimal(expected["sale_revenue"]),
    }


@pytest.mark.usefixtures("ray_local")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_run_reaches_the_oracle(tmp_path: Path, seed: int) -> None:
    data, expected = sample(tmp_path / "sample", LINES, seed)
    platform = Platform(tmp_path / "home", {"range_bytes": 200_000})
    results = platform.run(data)
    counts, money = results[1].counts, results[1].money
    assert vars(counts) == {name: expected[name] for name in ("read", "accepted", "rejected", "merged")}
    assert vars(money) == {name: Decimal(amount) for name, amount in expected["money"].items()}
    assert figures(platform) == expected_figures(expected)


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> tuple[pl.DataFrame, dict[str, Any]]:
    """All cells of a sample, and its oracle."""
    data, expected = sample(tmp_path_factory.mktemp("delivered"), LINES, 1)
    return pl.concat([read_cells(file) for file in sorted(data.glob("*.csv*"))]), expected


@pytest.mark.parametrize("rule", [rule.rule_id for rule in rules.ERRORS])
def test_a_mutated_rule_misses_the_oracle(
    delivered: tuple[pl.DataFrame, dict[str, Any]], rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each error rule is needed: without it, the lines refused are not those that the oracle counts."""
    cells, expected = delivered
    assert refused_by(cells, rule) >= expected["rejected_by_rule"][rule] > 0
    never = tuple(
        rules.Rule(r.rule_id, r.severity, r.weight, r.reason, pl.lit(value=False)) if r.rule_id == rule else r
        for r in rules.ERRORS
    )
    monkeypatch.setattr(rules, "ERRORS", never)
    try:
        refused = refused_by(cells, rule)
    except pl.exceptions.InvalidOperationError:
        refused = 0  # a price out of range does not fit its column, so the run would end there
    assert refused < expected["rejected_by_rule"][rule]


def refused_by(cells: pl.DataFrame, rule: str) -> int:
    refused = refine_batch(cells, "month_first", "Europe/London").rejected
    return sum(rule in rules.rule_ids(mask, rules.ERRORS) for mask in refused["errors"])


def read_cells(file: Path) -> pl.DataFrame:
    """Read a file's lines as bronze has them, without bronze."""
    from datetime import UTC, datetime

    from cluster.storage import Storage
    from pipelines.sources import READERS
    from pipelines.sources.columns import load_aliases, map_columns

    reader, storage = READERS[".csv"], Storage(str(file.parent / "_lake"))
    found = reader.inspect(storage, str(file), str(file.parent / "_scratch"), 10**9)
    columns = map_columns(found.header, load_aliases(None), str(file))
    frame = reader.read(storage, found.parts[0], len(columns)).frame
    kept = {"row_id": "r", "file_name": file.name, "batch_id": "b", "ingested_at": datetime.now(UTC)}
    named = frame.rename({str(place): name for place, name in enumerate(columns)})
    return named.with_columns(**{name: pl.lit(value) for name, value in kept.items()}).select(
        *columns[:8], "row_number", *kept
    )


@pytest.mark.parametrize(("small", "large"), [pytest.param(200_000, 1_000_000, id="0.2-and-1-million")])
def test_the_drivers_memory_does_not_grow_with_the_lines(
    tmp_path: Path, small: int, large: int, ray_local: object
) -> None:
    assert_flat_memory(tmp_path, small, large)


def assert_flat_memory(tmp_path: Path, small: int, large: int) -> None:
    peaks = []
    for lines in (small, large):
        data, expected = sample(tmp_path / f"sample-{lines}", lines, 7)
        home = tmp_path / f"home-{lines}"
        done = subprocess.run(
            [sys.executable, str(REFRESH), str(home), str(data)], capture_output=True, text=True, check=True
        )
        told = json.loads(done.stdout.splitlines()[-1])
        assert told["counts"]["silver"]["accepted"] == expected["accepted"]
        peaks.append(told["peak_kb"])
    assert peaks[1] <= 1.3 * peaks[0], peaks
