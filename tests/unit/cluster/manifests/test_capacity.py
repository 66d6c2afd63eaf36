"""What pods ask for is added up as Kubernetes does; the figures here are worked out by hand."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from cluster.manifests import capacity
from cluster.manifests.objects import Manifest, Overlay
from tests.unit.cluster.manifests.conftest import Edit

GIB = 2**30


def container(cpu: str, memory: str, **more: Any) -> dict[str, Any]:
    return {"name": "x", "resources": {"requests": {"cpu": cpu}, "limits": {"memory": memory}}, **more}


def pod(*containers: dict[str, Any], first: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    return {"spec": {"containers": list(containers), "initContainers": list(first)}}


def cluster(**more: Any) -> dict[str, Any]:
    group = {"groupName": "etl", "minReplicas": 1, "maxReplicas": 3, "template": pod(container("2", "4Gi"))}
    spark = {"groupName": "spark", "maxReplicas": 2, "numOfHosts": 2, "template": pod(container("500m", "1Gi"))}
    head = {"template": pod(container("1", "2Gi"))}
    return {"enableInTreeAutoscaling": True, "headGroupSpec": head, "workerGroupSpecs": [group, spark], **more}


def manifest(kind: str, spec: dict[str, Any]) -> Manifest:
    return Manifest({"kind": kind, "metadata": {"name": "one"}, "spec": spec})


def table(overlay: Overlay) -> dict[str, tuple[int, int, Decimal, Decimal]]:
    return {
        part.group: (part.least, part.most, part.each["requests.cpu"], part.each["requests.memory"] / GIB)
        for part in capacity.pod_sets(overlay)
    }


@pytest.fixture
def overlay(dev: Overlay) -> Overlay:
    return replace(dev, objects=[manifest("RayCluster", cluster())])


def test_a_cluster_has_its_head_with_the_autoscaler_and_its_groups(overlay: Overlay) -> None:
    assert table(overlay) == {
        "head": (1, 1, Decimal("1.5"), Decimal("2.5")),
        "etl": (1, 3, Decimal(2), Decimal(4)),
        "spark": (0, 4, Decimal("0.5"), Decimal(1)),
    }
    least, most = (capacity.total(capacity.pod_sets(overlay), most=most) for most in (False, True))
    assert (least["pods"], least["requests.cpu"], least["limits.memory"] / GIB) == (
        Decimal(2),
        Decimal("3.5"),
        Decimal("6.5"),
    )
    assert (most["pods"], most["requests.cpu"], most["requests.memory"] / GIB) == (
        Decimal(8),
        Decimal("9.5"),
        Decimal("18.5"),
    )


def test_a_job_that_waits_has_nothing_until_it_runs_and_then_a_submitter_too(dev: Overlay) -> None:
    job = {"suspend": True, "rayClusterSpec": cluster(enableInTreeAutoscaling=False)}
    waiting = table(replace(dev, objects=[manifest("RayJob", job)]))
    assert {name: counts[:2] for name, counts in waiting.items()} == {
        "head": (0, 1), "etl": (0, 3), "spark": (0, 4), "submitter": (0, 1),
    }  # fmt: skip
    assert waiting["head"][2:] == (Decimal(1), Decimal(2))
    assert waiting["submitter"][2:] == (Decimal("0.5"), Decimal(200 * 2**20) / GIB)
    own = job | {"suspend": False, "submitterPodTemplate": pod(container("100m", "1Gi"))}
    assert table(replace(dev, objects=[manifest("RayJob", own)]))["submitter"] == (1, 1, Decimal("0.1"), Decimal(1))
    beside = table(replace(dev, objects=[manifest("RayJob", job | {"submissionMode": "SidecarMode"})]))
    assert "submitter" not in beside
    assert beside["head"][2] == Decimal("1.5")


def test_first_containers_count_where_they_ask_for_more(dev: Overlay) -> None:
    sidecar = container("100m", "1Gi", restartPolicy="Always")
    template = pod(container("1", "1Gi"), container("1", "1Gi"), first=(container("3", "1Gi"), sidecar))
    job = {"jobTemplate": {"spec": {"parallelism": 2, "template": template}}}
    assert table(replace(dev, objects=[manifest("CronJob", job)])) == {"pod": (0, 2, Decimal(3), Decimal(3))}
    deployment = {"replicas": 2, "template": template}
    assert table(replace(dev, objects=[manifest("Deployment", deployment)])) == {"pod": (2, 2, Decimal(3), Decimal(3))}


def test_an_upgrade_doubles_the_service_only(dev: Overlay) -> None:
    service, work = manifest("RayService", {"rayClusterConfig": cluster()}), manifest("RayCluster", cluster())
    both = replace(dev, objects=[service, work])
    assert capacity.for_upgrade(both)["requests.cpu"] == 3 * Decimal("9.5")
    assert capacity.for_upgrade(replace(dev, objects=[work]))["pods"] == 8


def test_a_quota_that_an_upgrade_breaks_is_found(overlay: Overlay) -> None:
    exact = {"pods": "8", "cpu": "9500m", "limits.memory": "18.5Gi", "services.loadbalancers": "0"}
    quota = manifest("ResourceQuota", {"hard": exact})
    assert capacity.shortages(replace(overlay, objects=[*overlay.objects, quota])) == []
    tight = manifest("ResourceQuota", {"hard": {"requests.cpu": "9499m"}})
    short = capacity.shortages(replace(overlay, objects=[*overlay.objects, quota, tight]))
    assert [(item.quota, item.resource, item.needed - item.hard) for item in short] == [
        (tight, "requests.cpu", Decimal("0.001"))
    ]


def test_a_template_is_no_second_run(dev: Overlay, edited: Edit) -> None:
    named = [item for item in dev.objects if item.name]
    assert capacity.for_upgrade(dev) == capacity.for_upgrade(replace(dev, objects=named))
    jobs = [part.owner.name for part in capacity.pod_sets(dev) if part.owner.kind == "RayJob" and part.group == "head"]
    assert sorted(jobs) == ["retail-basket-pairs", "retail-daily-refresh"]
