"""What Spark is started with: executors that fit the Ray, options that keep values, jars looked for first."""

from pathlib import Path

import pytest

from cluster import spark_session
from cluster.settings import Settings, load_settings
from cluster.spark_session import ExecutorBounds, event_log_options, executor_bounds, missing_jars, spark_configs

THREE = ExecutorBounds(2, 3, 3, 1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(home=tmp_path)


@pytest.mark.parametrize(
    ("cpus", "expected"),
    [
        (1, (1, 1, 1, 0)),  # no CPU to spare: the one executor reserves none
        (2, (1, 1, 1, 1)),
        (3, (2, 2, 2, 1)),
        (4, (2, 3, 3, 1)),
        (5, (2, 4, 4, 1)),
        (20, (2, 4, 19, 1)),
        (21, (2, 4, 20, 1)),
        (500, (2, 4, 20, 1)),
    ],
)
def test_executors_fit_the_ray_and_leave_a_cpu(settings: Settings, cpus: int, expected: tuple[int, ...]) -> None:
    bounds = executor_bounds(settings, cpus)
    assert (bounds.least, bounds.initial, bounds.most, bounds.cpus) == expected


@pytest.mark.parametrize(("cpus", "most", "reserved"), [(4, 1, 0), (5, 1, 4), (8, 1, 4), (9, 2, 4)])
def test_executors_with_more_cores_are_fewer(tmp_path: Path, cpus: int, most: int, reserved: int) -> None:
    bounds = executor_bounds(load_settings(home=tmp_path, spark_executor_cores=4), cpus)
    assert (bounds.most, bounds.cpus) == (most, reserved)


def test_bounds_stay_in_order_whatever_is_set(tmp_path: Path) -> None:
    odd = load_settings(home=tmp_path, spark_min_executors=6, spark_initial_executors=1, spark_max_executors=5)
    for cpus in range(1, 40):
        bounds = executor_bounds(odd, cpus)
        assert 1 <= bounds.least <= bounds.initial <= bounds.most <= 5
    none = executor_bounds(load_settings(home=tmp_path, spark_min_executors=0), 8)
    assert (none.least, none.initial) == (0, 4)
    assert (str(THREE), str(ExecutorBounds(1, 1, 1, 1))) == ("2 to 3", "1")


def test_options_adapt_and_keep_values(settings: Settings) -> None:
    configs = spark_configs(settings, THREE)
    for name in ("adaptive.enabled", "adaptive.coalescePartitions.enabled", "adaptive.skewJoin.enabled"):
        assert configs[f"spark.sql.{name}"] == "true"
    allocation = {name.rsplit(".", 1)[1]: value for name, value in configs.items() if ".dynamicAllocation." in name}
    assert (allocation["minExecutors"], allocation["initialExecutors"], allocation["maxExecutors"]) == ("2", "3", "3")
    assert configs["spark.dynamicAllocation.shuffleTracking.enabled"] == "true"
    assert configs["spark.sql.ansi.enabled"] == "true"
    assert configs["spark.sql.session.timeZone"] == "UTC"
    assert configs["spark.sql.parquet.datetimeRebaseModeInRead"] == "CORRECTED"
    for name in ("spark.driver", "spark.executor", "spark.ray.raydp_app_master"):
        assert "java.base/java.math=ALL-UNNAMED" in configs[f"{name}.extraJavaOptions"]
        assert "java.base/sun.nio.ch=ALL-UNNAMED" in configs[f"{name}.extraJavaOptions"]
    assert all(isinstance(value, str) for value in configs.values())


def test_placement_on_ray_is_decided_here(settings: Settings) -> None:
    configs = spark_configs(settings, ExecutorBounds(1, 1, 1, 0))
    placed = {name: value for name, value in configs.items() if "actor.resource" in name}
    assert placed == {
        "spark.ray.raydp_spark_master.actor.resource.CPU": "0",
        "spark.ray.raydp_spark_executor.actor.resource.cpu": "0",
    }


def test_executors_with_nodes_of_their_own_are_as_many_as_set_and_ask_for_no_cpu(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, spark_executor_resource="spark", spark_master_resource="spark_master")
    for cpus in (0, 1, 64):  # of the Ray as it stands, before the autoscaler brings nodes
        bounds = executor_bounds(settings, cpus)
        assert (bounds.least, bounds.initial, bounds.most, bounds.cpus) == (2, 4, 20, 0)
    placed = {name: value for name, value in spark_configs(settings, bounds).items() if "actor.resource" in name}
    assert placed == {
        "spark.ray.raydp_spark_master.actor.resource.CPU": "0",
        "spark.ray.raydp_spark_master.actor.resource.spark_master": "0.01",
        "spark.ray.raydp_spark_executor.actor.resource.cpu": "0",
        "spark.ray.raydp_spark_executor.actor.resource.spark": "1",
    }


def test_partitions_grow_with_the_cores(settings: Settings) -> None:
    name = "spark.sql.adaptive.coalescePartitions.initialPartitionNum"
    assert spark_configs(settings, THREE)[name] == "64"
    assert spark_configs(settings, ExecutorBounds(2, 4, 20, 1))[name] == "200"


def test_scratch_folder_and_extra_options(settings: Settings, tmp_path: Path) -> None:
    assert "spark.local.dir" not in spark_configs(settings, THREE)
    extra = {"spark.ui.enabled": "false"} | event_log_options(tmp_path)
    configs = spark_configs(settings, THREE, tmp_path, extra)
    assert configs["spark.local.dir"] == str(tmp_path)
    assert configs["spark.ui.enabled"] == "false"
    assert configs["spark.eventLog.dir"] == tmp_path.as_uri()


def test_no_key_of_the_object_store_is_an_option(tmp_path: Path) -> None:
    options = {"AWS_ENDPOINT_URL": "http://store:9000", "AWS_SECRET_ACCESS_KEY": "hidden"}
    configs = spark_configs(load_settings(home=tmp_path, lake_uri="s3://b/lake", storage_options=options), THREE)
    assert configs["spark.hadoop.fs.s3a.endpoint"] == "http://store:9000"
    assert configs["spark.hadoop.fs.s3.impl"].endswith("S3AFileSystem")
    assert "hidden" not in configs.values()


@pytest.mark.parametrize(
    ("uri", "jar"),
    [
        ("s3://bucket/lake", "hadoop-aws-3.3.4.jar"),
        ("gs://bucket/lake", "gcs-connector-hadoop3.jar"),
        ("abfss://c@a.dfs.core.windows.net/lake", "hadoop-azure-3.3.4.jar"),
    ],
)
def test_jars_of_an_object_store_are_looked_for(
    uri: str, jar: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARK_HOME", str(tmp_path))
    (tmp_path / "jars").mkdir()
    reason = missing_jars(uri)
    assert reason is not None
    assert jar.rsplit("-", 1)[0].removesuffix("-hadoop3") in reason
    assert str(tmp_path) in reason
    (tmp_path / "jars" / jar).touch()
    assert missing_jars(uri) is None


def test_a_folder_needs_no_jars(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spark_session, "_jar_folders", list)
    assert missing_jars(str(tmp_path)) is None
    assert missing_jars(f"file://{tmp_path}") is None


def test_without_spark_home_the_jars_are_pysparks(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyspark")
    monkeypatch.delenv("SPARK_HOME", raising=False)
    reason = missing_jars("s3://bucket/lake")
    assert reason is None or "pyspark/jars" in reason
