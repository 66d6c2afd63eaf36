"""What the rules see of an overlay: clusters, groups, pods with their labels, containers, selectors."""

from typing import Any

import pytest

from cluster.manifests.objects import Manifest, Overlay, Versions
from cluster.manifests.rules.parts import at, containers, groups, join, pods, selects

TEMPLATE = {"metadata": {"labels": {"team": "retail"}}, "spec": {"containers": [{"name": "ray"}]}}
CLUSTER: dict[str, Any] = {
    "enableInTreeAutoscaling": True,
    "autoscalerOptions": {"version": "v2"},
    "headGroupSpec": {"template": TEMPLATE},
    "workerGroupSpecs": [{"groupName": "etl", "template": TEMPLATE}],
}


def overlay(*bodies: dict[str, Any]) -> Overlay:
    return Overlay("dev", [Manifest(body) for body in bodies], Versions("2.60.0", "3.11", "3.5.7", "1.6.5"))


def named(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": "x"}, "spec": spec}


@pytest.mark.parametrize(
    ("kind", "spec", "path"),
    [
        ("RayCluster", CLUSTER, "spec"),
        ("RayService", {"rayClusterConfig": CLUSTER}, "spec.rayClusterConfig"),
        ("RayJob", {"rayClusterSpec": CLUSTER}, "spec.rayClusterSpec"),
    ],
)
def test_groups_are_found_in_every_kind_with_their_paths(kind: str, spec: dict[str, Any], path: str) -> None:
    body = named(kind, spec)

    assert [(group.name, group.path) for group in groups(overlay(body))] == [
        ("headgroup", f"{path}.headGroupSpec"), ("etl", f"{path}.workerGroupSpecs.0"),
    ]  # fmt: skip
    assert all(at(body, group.path) is group.body for group in groups(overlay(body)))
    assert [container.path for container in containers(overlay(body))] == [
        f"{path}.headGroupSpec.template.spec.containers.0",
        f"{path}.autoscalerOptions",
        f"{path}.workerGroupSpecs.0.template.spec.containers.0",
    ]


def test_pods_of_jobs_and_of_a_job_s_submitter_are_seen() -> None:
    job = named("CronJob", {"jobTemplate": {"spec": {"template": TEMPLATE}}})
    rayjob = named("RayJob", {"rayClusterSpec": CLUSTER, "submitterPodTemplate": TEMPLATE})

    seen = {pod.path: pod.labels() for pod in pods(overlay(job, rayjob))}

    assert set(seen) == {
        "spec.jobTemplate.spec.template",
        "spec.submitterPodTemplate",
        "spec.rayClusterSpec.headGroupSpec.template",
        "spec.rayClusterSpec.workerGroupSpecs.0.template",
    }
    assert seen["spec.submitterPodTemplate"]["ray.io/originated-from-crd"] == "RayJob"
    assert "ray.io/cluster" not in seen["spec.submitterPodTemplate"]
    assert all(labels["team"] == "retail" for labels in seen.values())


def test_labels_are_those_that_kuberay_writes() -> None:
    head, worker = (pod.labels() for pod in pods(overlay(named("RayCluster", CLUSTER))))
    serving = [pod.labels() for pod in pods(overlay(named("RayService", {"rayClusterConfig": CLUSTER})))]

    assert (head["ray.io/node-type"], head["ray.io/group"], head["ray.io/cluster"]) == ("head", "headgroup", "x")
    assert (worker["ray.io/node-type"], worker["ray.io/group"]) == ("worker", "etl")
    assert selects({"matchLabels": {"ray.io/cluster": "x-7kq2p"}}, serving[1])
    assert not selects({"matchLabels": {"ray.io/cluster": "y"}}, worker)


@pytest.mark.parametrize(
    ("selector", "takes"),
    [
        ({}, True),
        (None, False),
        ({"matchLabels": {"a": "1"}}, True),
        ({"matchLabels": {"a": "2"}}, False),
        ({"matchLabels": {"b": "1"}}, False),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}]}, True),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, False),
        ({"matchExpressions": [{"key": "b", "operator": "NotIn", "values": ["1"]}]}, True),
        ({"matchExpressions": [{"key": "b", "operator": "Exists"}]}, False),
        ({"matchExpressions": [{"key": "b", "operator": "DoesNotExist"}]}, True),
        ({"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "Exists"}]}, False),
    ],
)
def test_selectors_take_what_kubernetes_takes(selector: dict[str, Any] | None, takes: bool) -> None:
    assert selects(selector, {"a": "1"}) is takes


def test_paths() -> None:
    assert join("spec.template", "spec", "containers", 0) == "spec.template.spec.containers.0"
    assert join("data", "a.json") == "data.[a.json]"
    assert at({"a": [{"b": 1}]}, "a.0.b") == 1
    assert at({"a": [{"b": 1}]}, "a.1.b") is None
