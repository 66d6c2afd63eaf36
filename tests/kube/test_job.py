"""The cluster of the RayJob `retail-daily-refresh`: both groups from nothing to their maximum and back, and the job."""

from decimal import Decimal
from typing import Any

import pytest

from cluster.manifests.objects import Manifest
from tests.kube.conftest import Played

FIGURES = ("accepted", "sale_lines", "guest_lines", "invoices")


@pytest.fixture(scope="module")
def job(played: Played) -> Any:
    return played.section("job")


def test_the_migration_job_comes_first(played: Played) -> None:
    migrate = played.section("migrate")
    assert migrate["code"] == 0, migrate["log"]


def test_both_groups_grow_to_their_maximum_and_go_back_to_nothing(played: Played) -> None:
    sizes = played.section("job_sizes")
    maximum = {group: most for group, (_, most) in sizes["bounds"].items()}
    assert maximum == {"etl": 2, "spark": 1}
    assert played.section("grown")["sizes"] == maximum
    assert sizes["last"] == {"etl": 0, "spark": 0}


def test_their_bounds_are_never_left(played: Played) -> None:
    sizes = played.section("job_sizes")
    assert sizes["rounds"] > 20
    for group, (least, most) in sizes["bounds"].items():
        assert least <= sizes["least"][group] <= sizes["most"][group] <= most
        assert sizes["most_asked"][group] <= most


def test_what_an_executor_asks_for_lands_on_spark_and_nothing_else_does(played: Played) -> None:
    """While it is held, `etl` is full and the job runs."""
    demand = played.section("demand")
    groups = demand["addresses"]
    assert {groups[address] for address in demand["spark"]} == {"spark"}
    assert {groups[address] for address in demand["etl"]} == {"etl"}
    assert len(demand["etl"]) == 2
    assert demand["ran_on_spark"] == ["hold"]


def test_the_job_runs_on_etl_alone(job: Any) -> None:
    nodes = {node for step in job["warehouse"]["steps"][0] for kind in step["nodes"].values() for node in kind}
    assert nodes
    assert {job["addresses"][job["nodes"][node]] for node in nodes} == {"etl"}
    assert 1 <= job["most_etl"] <= 2


def test_the_submitter_ends_with_the_jobs_success(job: Any) -> None:
    assert job["status"] == "SUCCEEDED", job["log"]
    assert job["submitter"]["code"] == 0, job["submitter"]["log"]
    assert "publish: data version 1" in job["submitter"]["log"]


def test_the_warehouse_holds_what_the_oracle_says(played: Played, job: Any) -> None:
    oracle, published = played.section("oracle"), job["warehouse"]
    assert {name: published[name] for name in FIGURES} == {name: oracle[name] for name in FIGURES}
    assert Decimal(published["sale_revenue"]) == Decimal(oracle["sale_revenue"])
    [silver] = [step for step in published["steps"][0] if step["step"] == "silver"]
    assert silver["rows"] == {name: oracle[name] for name in ("read", "accepted", "rejected", "merged")}


def test_a_run_beside_it_ends_with_the_leases_error(job: Any) -> None:
    assert job["beside"]["status"] == "FAILED"
    assert "Another run is writing this lake" in job["beside"]["log"]


def test_a_second_run_changes_nothing_and_says_so(played: Played) -> None:
    again = played.section("again")
    assert again["status"] == "SUCCEEDED", again["log"]
    assert "Nothing was new: all tables stay as they were." in again["log"]
    figures = (*FIGURES, "sale_revenue", "publications")
    assert {name: again["after"][name] for name in figures} == {name: again["before"][name] for name in figures}


def test_the_cronjobs_pod_makes_the_rayjob_once(played: Played, rendered: list[Manifest]) -> None:
    launch = played.section("launch")
    assert launch["codes"] == [0, 0], launch["logs"]
    assert "created" in launch["logs"][0]
    assert "it exists already" in launch["logs"][1]
    [made] = launch["made"]
    [own] = [one for one in rendered if (one.kind, one.name) == ("RayJob", "retail-daily-refresh")]
    assert made["spec"]["suspend"] is False
    assert made["spec"]["entrypoint"] == own.spec["entrypoint"]
    assert made["metadata"]["namespace"] == own.body["metadata"]["namespace"]
