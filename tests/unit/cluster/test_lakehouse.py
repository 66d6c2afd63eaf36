import itertools
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from cluster.delta_sink import WrittenFile, read_files, write_file
from cluster.errors import DataError, FatalError, RetryableError
from cluster.lakehouse import Commit, LakeWriter, Mode, TableVersion
from cluster.lease import Lease
from cluster.storage import Storage

TABLE, MAIN = "silver.lines", "silver.main"
SCHEMA = pa.schema([("n", pa.int64()), ("price", pa.decimal128(12, 4)), ("month", pa.string())])
WIDER = SCHEMA.append(pa.field("colour", pa.string()))
names = itertools.count()


@pytest.fixture(params=["lake", "my [k]lake"])
def storage(tmp_path: Path, request: pytest.FixtureRequest) -> Storage:
    """A lake, once below a folder whose name holds a blank and what globs read as a pattern."""
    return Storage(str(tmp_path / request.param))


@pytest.fixture
def runs(storage: Storage) -> Iterator["Runs"]:
    yield (runs := Runs(storage))
    runs.end()


class Runs:
    """Runs of a lake, one after the other."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.lease: Lease | None = None

    def next(self) -> LakeWriter:
        self.end()
        self.lease = Lease.take(self.storage, f"run-{next(names)}", 600)
        return LakeWriter(self.storage, self.lease)

    def end(self) -> None:
        if self.lease:
            self.lease.release()


def rows(*numbers: int, **more: list[Any]) -> pl.DataFrame:
    price = pl.Series([Decimal(n) / 1000 for n in numbers], dtype=pl.Decimal(12, 4))
    return pl.DataFrame({"n": pl.Series(numbers, dtype=pl.Int64), "price": price, **more})


def put(lake: LakeWriter, month: str, frame: pl.DataFrame, mode: Mode = "append", **options: Any) -> TableVersion:
    """Write one file and commit it."""
    file = write_file(lake.storage, TABLE, f"file-{next(names)}", frame, {"month": month})
    options = {"schema": SCHEMA, "partitions": [month], **options}
    return lake.commit(TABLE, Commit([file], partition_by=("month",), mode=mode, **options))


def numbers(lake: LakeWriter, version: int | None = None) -> list[int]:
    return sorted(lake.scan(TABLE, version).collect()["n"])


def test_a_table_begins_and_grows_and_its_old_versions_stay(runs: Runs) -> None:
    lake = runs.next()
    assert (lake.version(TABLE), lake.latest(TABLE), lake.committed_number(TABLE)) == (None, None, None)
    first = put(lake, "2011-01", rows(1, 2))
    second = put(runs.next(), "2011-02", rows(3))
    assert (first.version, second.version) == (0, 1)
    assert (numbers(lake), numbers(lake, 0), lake.rows(TABLE)) == ([1, 2, 3], [1, 2], 3)
    assert [(file.partition["month"], file.rows) for file in lake.files(TABLE)] == [("2011-01", 2), ("2011-02", 1)]
    assert lake.schema(TABLE).names == SCHEMA.names


def test_replace_empties_only_the_partitions_it_names(runs: Runs) -> None:
    put(runs.next(), "2011-01", rows(1))
    put(runs.next(), "2011-02", rows(2))
    put(runs.next(), "2011-03", rows(3))
    put(runs.next(), "2011-02", rows(20), "replace", partitions=["2011-01", "2011-02"])
    assert numbers(runs.next()) == [3, 20]


def test_overwrite_replaces_the_whole_table(runs: Runs) -> None:
    put(runs.next(), "2011-01", rows(1))
    put(runs.next(), "2011-02", rows(2), "overwrite")
    assert numbers(runs.next()) == [2]


def test_replace_brings_new_columns_and_drops_nothing(runs: Runs) -> None:
    put(runs.next(), "2011-01", rows(1))
    put(runs.next(), "2011-02", rows(2, colour=["red"]), "replace", schema=WIDER)
    put(runs.next(), "2011-03", rows(3), "replace", schema=WIDER)
    table = runs.next().scan(TABLE).sort("n").collect()
    assert table["colour"].to_list() == [None, "red", None]
    assert table["price"].to_list() == [Decimal("0.001"), Decimal("0.002"), Decimal("0.003")]


def test_an_append_with_a_new_column_is_refused_since_the_column_would_be_lost(runs: Runs) -> None:
    put(runs.next(), "2011-01", rows(1))
    with pytest.raises(FatalError, match="colour"):
        put(runs.next(), "2011-02", rows(2, colour=["red"]), schema=WIDER)
    assert numbers(runs.next()) == [1]


def test_a_repeat_of_a_runs_commit_changes_nothing(runs: Runs) -> None:
    lake = runs.next()
    first = put(lake, "2011-01", rows(1))
    again = put(lake, "2011-01", rows(1))
    assert again == first
    assert numbers(lake) == [1]
    assert lake.committed_number(TABLE) == lake.number


def test_a_commit_without_files_leaves_rows_and_carries_notes(runs: Runs) -> None:
    put(runs.next(), "2011-01", rows(1))
    lake = runs.next()
    version = lake.commit(TABLE, Commit([], SCHEMA, ("month",), notes={"why": "all merged"}))
    assert (version.version, numbers(lake)) == (1, [1])
    assert lake.notes(TABLE, 1)["why"] == "all merged"


def test_a_writer_that_lost_the_lease_commits_nothing(runs: Runs) -> None:
    stale = runs.next()
    put(stale, "2011-01", rows(1))
    runs.next()
    with pytest.raises(RetryableError, match="lost"):
        put(stale, "2011-02", rows(2))
    with pytest.raises(RetryableError, match="lost"):
        stale.heal(MAIN, [TABLE])
    assert numbers(stale) == [1]


def test_of_two_writers_that_saw_the_same_version_the_second_is_refused(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(runs.next(), "2011-01", rows(1))
    slow = runs.next()
    seen = slow._open(TABLE)
    put(slow, "2011-02", rows(2))
    monkeypatch.setattr(slow, "_open", lambda table, version=None: seen)
    slow.number += 1
    with pytest.raises(RetryableError, match="first"):
        put(slow, "2011-01", rows(3), "replace")
    monkeypatch.undo()
    assert numbers(slow) == [1, 2]


def test_notes_and_history_of_every_version_can_be_read(runs: Runs) -> None:
    for number in range(3):
        put(runs.next(), "2011-01", rows(number), notes={"rows": number, "amount": "1.50"})
    lake = runs.next()
    assert [lake.notes(TABLE, version)["rows"] for version in range(3)] == [0, 1, 2]
    history = lake.history(TABLE)
    assert [entry["version"] for entry in history] == [2, 1, 0]
    assert [entry["rows"] for entry in history] == [2, 1, 0]
    assert len({entry["run_id"] for entry in history}) == 3
    assert lake.history(TABLE, 1) == history[:1]
    latest = lake.latest(TABLE)
    assert latest is not None
    assert latest[1]["amount"] == "1.50"


def main_commit(lake: LakeWriter, siblings: dict[str, int]) -> int:
    file = write_file(lake.storage, MAIN, f"file-{next(names)}", rows(0).drop("price"))
    schema = pa.schema([("n", pa.int64())])
    return lake.commit(MAIN, Commit([file], schema, notes={"siblings": siblings})).version


def test_heal_takes_a_sibling_back_to_what_the_main_table_names(runs: Runs) -> None:
    lake = runs.next()
    kept = put(lake, "2011-01", rows(1)).version
    main = main_commit(lake, {TABLE: kept})
    put(runs.next(), "2011-02", rows(2, colour=["red"]), "replace", schema=WIDER)
    healer = runs.next()
    assert healer.heal(MAIN, [TABLE]) == [TABLE]
    assert numbers(healer) == [1]
    assert healer.heal(MAIN, [TABLE]) == []
    assert runs.next().heal(MAIN, [TABLE]) == []
    lake = runs.next()
    again = put(lake, "2011-02", rows(2), "replace", schema=WIDER).version
    assert main_commit(lake, {TABLE: again}) == main + 1
    assert numbers(lake) == [1, 2]
    assert lake.heal(MAIN, [TABLE]) == []
    assert lake.sibling_version(MAIN, TABLE) == again
    assert lake.sibling_version(MAIN, TABLE, main) == kept
    assert numbers(lake, kept) == [1]


def test_heal_empties_a_sibling_of_a_first_run_that_died(runs: Runs) -> None:
    put(runs.next(), "2011-01", rows(1))
    healer = runs.next()
    assert healer.heal(MAIN, [TABLE, "silver.never"]) == [TABLE]
    assert numbers(healer) == []
    assert healer.scan(TABLE).collect_schema().names() == SCHEMA.names
    assert healer.heal(MAIN, [TABLE]) == []
    put(healer, "2011-01", rows(1))
    assert numbers(healer) == [1]


def test_heal_leaves_what_is_whole(runs: Runs) -> None:
    lake = runs.next()
    main_commit(lake, {TABLE: put(lake, "2011-01", rows(1)).version})
    assert runs.next().heal(MAIN, [TABLE]) == []
    assert lake.version(TABLE) == 0


def test_an_unreadable_table_says_where_and_how_to_look(runs: Runs) -> None:
    lake = runs.next()
    with pytest.raises(DataError) as caught:
        lake.files("gold.nothing")
    assert caught.value.where.endswith("gold/nothing")
    put(lake, "2011-01", rows(1))
    with pytest.raises(DataError, match="at version 7"):
        lake.scan(TABLE, 7)


def test_polars_and_duckdb_read_a_version_partition_column_included(runs: Runs) -> None:
    lake = runs.next()
    put(lake, "2011-01", rows(1, 2))
    put(runs.next(), "2011-02", rows(3, colour=["red"]), "replace", schema=WIDER)
    uris = [file.uri.replace("[", "[[]") for file in lake.files(TABLE, 1)]
    query = (
        "select n, price, month, colour from read_parquet($1, hive_partitioning=true, union_by_name=true) order by n"
    )
    duck = duckdb.connect().execute(query.replace("$1", str(uris))).fetchall()
    ours = lake.scan(TABLE, 1).sort("n").collect()
    assert duck == ours.select("n", "price", "month", "colour").rows()
    assert [row[2] for row in duck] == ["2011-01", "2011-01", "2011-02"]


def test_polars_own_door_reads_what_ours_reads(tmp_path: Path) -> None:
    runs = Runs(Storage(str(tmp_path / "lake")))
    lake = runs.next()
    put(lake, "2011-01", rows(1, 2))
    put(runs.next(), "2011-02", rows(3, colour=["red"]), "replace", schema=WIDER)
    runs.end()
    for version in (0, 1):
        theirs = pl.scan_delta(lake.storage.table_uri(TABLE), version=version).sort("n").collect()
        assert_frame_equal(theirs, lake.scan(TABLE, version).sort("n").collect())


def test_files_of_workers_are_repeatable_and_tell_size_and_rows(storage: Storage) -> None:
    frame = rows(1, 2)
    first = write_file(storage, TABLE, "run-task", frame, {"month": "2011-01"})
    assert write_file(storage, TABLE, "run-task", frame, {"month": "2011-01"}) == first
    path = Path(storage.table_uri(TABLE)) / first.path
    assert first == WrittenFile("month=2011-01/run-task.parquet", path.stat().st_size, 2, {"month": "2011-01"})
    assert_frame_equal(read_files(storage, [str(path)]), frame)
    assert read_files(storage, [str(path)], ["price"]).columns == ["price"]
    other = write_file(storage, TABLE, "other", frame.with_columns(colour=pl.lit("red")))
    both = read_files(storage, [str(path), f"{storage.table_uri(TABLE)}/{other.path}"])
    assert both["colour"].to_list() == [None, None, "red", "red"]
    assert read_files(storage, []).height == 0
