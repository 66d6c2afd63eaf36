"""What is numbered, merged and flagged when files are delivered, one after the other, without Ray."""

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cluster.delta_sink import read_files
from cluster.storage import Storage
from pipelines.bronze_parts import line_keys
from pipelines.matching import BucketItem, Delivered, match_bucket
from pipelines.refine import refine_batch
from pipelines.scratch import write_scratch
from pipelines.silver_parts import SilverCounts, SilverItem, write_silver
from tests.unit.pipelines.bronze_cells import bronze_of
from warehouse_sql.tables.silver import MERGED, REJECTED, TRANSACTIONS

Lines = Sequence[Mapping[str, str | None]]
A, B, C = ({"stock_code": code} for code in "ABC")
BAD = {"quantity": "0"}


class Silver:
    """Silver tables of a test, filled run by run with the tasks that Ray would spread."""

    def __init__(self, folder: Path, buckets: int = 1) -> None:
        self.storage = Storage(str(folder))
        self.buckets = buckets
        self.uris: dict[str, list[str]] = {TRANSACTIONS: [], REJECTED: [], MERGED: []}
        self.runs = 0

    def deliver(self, *files: tuple[str, Lines], cut: int = 10**6) -> SilverCounts:
        """Refine and match the files of one run, each given by the first letter of its sha256 and cut into parts."""
        self.runs += 1
        run = f"run-{self.runs}"
        refined = []
        for sha, lines in files:
            whole = bronze_of(lines, sha * 64, run)
            refined += [(sha, refine_batch(part, "month_first", "UTC")) for part in whole.iter_slices(cut)]
        uris = []
        for part, (_, lines_of) in enumerate(refined):
            keys = line_keys(lines_of.accepted, lines_of.rejected, self.buckets)
            frames = [lines_of.accepted, lines_of.rejected]
            frames += [keys.filter(pl.col("bucket") == bucket).drop("bucket") for bucket in range(self.buckets)]
            uris.append([
                write_scratch(self.storage, f"{self.storage.scratch_uri(run)}/{part}-{n}", frame)
                for n, frame in enumerate(frames)
            ])  # fmt: skip
        ranks = {sha: rank for rank, sha in enumerate(sorted({sha for sha, _ in files}))}
        delivered = [(part, ranks[sha]) for part, (sha, _) in enumerate(refined)]
        decisions = tuple(
            match_bucket(
                self.storage,
                BucketItem(
                    bucket, self.buckets,
                    tuple(Delivered(part, rank, f"{run}/{part}", uris[part][2 + bucket]) for part, rank in delivered),
                    tuple(self.uris[TRANSACTIONS]), tuple(self.uris[REJECTED]),
                    f"{self.storage.scratch_uri(run)}/decisions-{bucket}",
                ),
            )["decisions"]
            for bucket in range(self.buckets)
        )  # fmt: skip
        counts = SilverCounts()
        for part, (accepted, rejected, *_) in enumerate(uris):
            row = write_silver(self.storage, SilverItem(part, f"{run}-{part}", accepted, rejected, decisions))
            counts += row["counts"]
            for table, kind in ((TRANSACTIONS, "accepted"), (REJECTED, "rejected"), (MERGED, "merged")):
                self.uris[table] += [f"{self.storage.table_uri(table)}/{file.path}" for file in row[kind]]
        return counts

    def rows(self, table: str) -> list[dict[str, Any]]:
        frame = read_files(self.storage, self.uris[table])
        return frame.sort("source_row_id").to_dicts() if frame.height else []

    def ids(self) -> list[bytes]:
        return sorted(row["line_id"] for row in (*self.rows(TRANSACTIONS), *self.rows(REJECTED)))


@pytest.fixture(params=[1, 3])
def silver(tmp_path: Path, request: pytest.FixtureRequest) -> Silver:
    return Silver(tmp_path, request.param)


def flags(row: Mapping[str, Any]) -> tuple[bool, bool]:
    return row["possible_split"], row["equal_lines_only"]


@pytest.mark.parametrize("cut", [1, 2, 100])
def test_equal_lines_of_a_file_are_numbered_whatever_its_cut(silver: Silver, cut: int) -> None:
    counts = silver.deliver(("a", [A, B, A, B, A]), cut=cut)
    rows = sorted(silver.rows(TRANSACTIONS), key=lambda row: row["source_row_id"])
    assert [(row["stock_code"], row["occurrence"]) for row in rows] == [
        ("A", 1), ("B", 1), ("A", 2), ("B", 2), ("A", 3),
    ]  # fmt: skip
    assert ["repeated_line" in row["validation_errors"] for row in rows] == [False, False, True, True, True]
    assert {row["data_quality_score"] for row in rows[2:]} == {Decimal("0.95")}
    assert len({row["line_id"] for row in rows}) == 5
    assert (counts.accepted, counts.merged) == (5, 0)
    assert counts.by_rule["repeated_line", "warned"] == (3, Decimal("45.9000"))


def test_a_complete_redelivery_in_another_spelling_is_merged_with_both_sources_and_not_flagged(silver: Silver) -> None:
    lines = [A, B, A, BAD, {"invoice_no": "7", "quantity": "x"}, {"invoice_no": "7"}]
    silver.deliver(("b", lines))
    before = silver.ids()
    other = [{"unit_price": "2.550", "invoice_date": "12/1/2010 8:26", **line} for line in lines[::-1]]
    counts = silver.deliver(("a", other))
    merged = silver.rows(MERGED)
    assert (counts.accepted, counts.rejected, counts.merged) == (0, 0, 6)
    assert silver.ids() == before
    assert {row["file_name"] for row in merged} == {"aaaa.csv"}
    assert len({row["kept_row_id"] for row in merged}) == 6
    assert {row["kept_row_id"][:16] for row in merged} == {"b" * 16}
    assert {(row["batch_id"], row["kept_batch_id"]) for row in merged} == {("run-2", "run-1")}
    assert {flags(row) for row in merged} == {(False, False)}
    assert counts.merged_amount == sum(row["amount"] for row in merged if row["amount"] is not None)
    assert counts.by_rule["re_delivered", "merged"] == (6, counts.merged_amount)


def test_inside_a_run_the_smallest_file_and_line_wins_and_its_own_batch_is_named(silver: Silver) -> None:
    silver.deliver(("c", [A, B]), ("a", [B]), ("b", [C, A, A]))
    kept = {(row["stock_code"], row["occurrence"]): row["source_row_id"] for row in silver.rows(TRANSACTIONS)}
    row_id = "{}{}".format
    assert kept == {
        ("B", 1): row_id("a" * 16, ":2"), ("C", 1): row_id("b" * 16, ":2"),
        ("A", 1): row_id("b" * 16, ":3"), ("A", 2): row_id("b" * 16, ":4"),
    }  # fmt: skip
    merged = {row["source_row_id"]: (row["kept_row_id"], row["kept_batch_id"]) for row in silver.rows(MERGED)}
    assert merged == {
        row_id("c" * 16, ":2"): (kept["A", 1], "run-1/2"), row_id("c" * 16, ":3"): (kept["B", 1], "run-1/1"),
    }  # fmt: skip


def test_a_delivery_cut_between_two_equal_lines_is_flagged(silver: Silver) -> None:
    silver.deliver(("a", [A, B]))
    counts = silver.deliver(("b", [B, C]))
    (merged,) = silver.rows(MERGED)
    assert flags(merged) == (True, False)
    assert counts.by_rule["possible_split", "merged"] == (1, Decimal("15.3000"))


def test_a_delivery_that_lacks_lines_of_the_invoice_is_flagged(silver: Silver) -> None:
    silver.deliver(("a", [A, B]))
    silver.deliver(("b", [B]))
    (merged,) = silver.rows(MERGED)
    assert flags(merged) == (True, False)


@pytest.mark.parametrize(("first", "second", "split"), [(1, 1, False), (2, 2, False), (2, 1, True), (1, 2, True)])
def test_an_invoice_of_equal_lines_only_is_listed(silver: Silver, first: int, second: int, split: bool) -> None:
    silver.deliver(("a", [A] * first), ("b", [{"invoice_no": "9", **line} for line in (A, B)]))
    silver.deliver(("c", [A] * second))
    assert {flags(row) for row in silver.rows(MERGED)} == {(split, True)}
    assert len(silver.rows(MERGED)) == min(first, second)


def test_rejected_lines_are_merged_too_and_those_without_an_invoice_never_flagged(silver: Silver) -> None:
    nameless = {"invoice_no": " ", "quantity": "x"}
    silver.deliver(("a", [BAD, nameless]), ("b", [{**nameless, "stock_code": "Z"}]))
    counts = silver.deliver(("c", [BAD, nameless]))
    assert (counts.rejected, counts.merged) == (0, 2)
    assert len(silver.rows(REJECTED)) == 3
    found = {row["invoice_no"]: flags(row) for row in silver.rows(MERGED)}
    assert found == {"536365": (False, True), "": (False, False)}
    assert {row["invoice_no"]: row["amount"] for row in silver.rows(MERGED)} == {"536365": Decimal(0), "": None}


lines = st.lists(st.sampled_from([A, B, C, BAD, {"invoice_no": "7"}, {"invoice_no": "7", "quantity": "x"}]), max_size=6)


@given(
    st.lists(st.dictionaries(st.sampled_from("abc"), lines.filter(bool), min_size=1), min_size=1, max_size=3),
    st.integers(1, 3),
    st.integers(1, 4),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_content_is_kept_as_often_as_the_fullest_file_has_it(
    tmp_path_factory: pytest.TempPathFactory, runs: list[dict[str, Lines]], buckets: int, cut: int
) -> None:
    """Whatever is delivered in whatever runs and cuts: n equal lines stay, n the most that one file brought."""
    silver = Silver(tmp_path_factory.mktemp("lake"), buckets)
    fullest: Counter[str] = Counter()
    counts = SilverCounts()
    for run in runs:
        counts += silver.deliver(*run.items(), cut=cut)
        for file in run.values():
            fullest |= Counter(repr(line) for line in file)
    rows = [*silver.rows(TRANSACTIONS), *silver.rows(REJECTED)]
    assert len(rows) == fullest.total() == counts.accepted + counts.rejected
    assert len({row["line_id"] for row in rows}) == len(rows)
    read = sum(len(file) for run in runs for file in run.values())
    assert read == counts.accepted + counts.rejected + counts.merged
    merged = silver.rows(MERGED)
    kept = {row["line_id"]: row["source_row_id"] for row in rows}
    assert all(row["kept_row_id"] == kept[row["line_id"]] for row in merged)
    assert sum(row["amount"] or 0 for row in merged) == counts.merged_amount


def test_counts_add_up_field_by_field() -> None:
    one = SilverCounts(1, 2, 3, Decimal("1.1"), Decimal("2.2"), Decimal("3.3"), {("x", "warned"): (1, Decimal(5))})
    two = one + SilverCounts(by_rule={("x", "warned"): (2, Decimal(1)), ("y", "merged"): (1, Decimal(0))}) + one
    assert (two.accepted, two.rejected, two.merged) == (2, 4, 6)
    assert (two.accepted_amount, two.rejected_amount, two.merged_amount) == (
        Decimal("2.2"), Decimal("4.4"), Decimal("6.6"),
    )  # fmt: skip
    assert two.by_rule == {("x", "warned"): (4, Decimal(11)), ("y", "merged"): (1, Decimal(0))}


def test_money_of_absurd_lines_is_counted_exactly_or_not_at_all(silver: Silver) -> None:
    """Sums stay within 28 digits, so that read = accepted + rejected + merged holds to the last one."""
    absurd = {"quantity": "999999999999999", "unit_price": "99999999999999.9999"}
    large = {"quantity": "-10000", "unit_price": "99999999999999.9999", "invoice_no": "9"}
    counts = silver.deliver(("a", [absurd, {"unit_price": "0.0001"}, large]), ("b", [A]))
    assert (counts.accepted, counts.rejected) == (2, 2)
    assert counts.rejected_amount == Decimal("-999999999999999999.0000")
    assert counts.accepted_amount + counts.rejected_amount == Decimal("-999999999999999983.6994")
