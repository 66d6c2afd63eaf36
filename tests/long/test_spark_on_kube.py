"""Spark through RayDP on the manifests' own groups: the executor's node comes and goes, its master is on the head."""

from typing import Any

import pytest

from tests.kube.conftest import Played, dev_overlay, play
from tests.kube.namespaces import require_namespaces


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Played:
    require_namespaces()
    dev_overlay()
    return play(tmp_path_factory.mktemp("kube"), "spark")


def test_the_pairs_are_made_on_spark(spark: Played) -> None:
    pairs: Any = spark.section("pairs")
    assert pairs["status"] == "SUCCEEDED", pairs["log"]
    assert "(spark, as set" in pairs["log"]
    assert pairs["most"]["spark"] == 1


def test_the_executor_is_on_spark_and_the_master_on_the_head(spark: Played) -> None:
    actors = spark.section("left")["actors"]
    assert {name for name, groups in actors.items() if "spark" in groups} == {"org.apache.spark.executor.RayDPExecutor"}
    assert actors["org.apache.spark.executor.RayDPExecutor"] == ["spark"]
    assert actors["RayDPSparkMaster"] == actors["org.apache.spark.deploy.raydp.RayAppMaster"] == ["headgroup"]


def test_both_groups_go_back_to_nothing(spark: Played) -> None:
    assert spark.section("left")["last"] == {"etl": 0, "spark": 0}
