"""Objects are judged as the API server would: what is right passes, what is not is named with its field and reason."""

import copy
from collections.abc import Mapping
from typing import Any

import pytest

from cluster.manifests import schema, structural
from cluster.manifests.crds import Crds
from cluster.manifests.objects import Manifest, Overlay
from cluster.manifests.rules.rule import ABSENT
from tests.unit.cluster.manifests.conftest import Edit

API, DEV, POLICY = "RayService retail-api", "RayCluster retail-dev", "NetworkPolicy retail-dns"
HEAD = "spec.headGroupSpec.template.spec.containers.0"
PORT = {"containerPort": 8080, "name": "again"}


def test_every_rendered_object_satisfies_its_schema(overlays: Mapping[str, Overlay], schemas: Crds) -> None:
    for overlay in overlays.values():
        assert schema.check(overlay.objects, schemas) == []


@pytest.mark.parametrize(
    ("name", "path", "value", "field", "reason"),
    [
        (DEV, "spec.replicas", 1, "spec.replicas", "no such field"),
        (DEV, "spec.workerGroupSpecs.0.maxReplica", 1, "spec.workerGroupSpecs.0.maxReplica", "no such field"),
        (DEV, f"{HEAD}.imagePolicy", "Always", f"{HEAD}.imagePolicy", "known here: args, command"),
        (DEV, "spec.idleTerminationOptions", {}, "spec.idleTerminationOptions", "no such field"),
        (DEV, "spec.headGroupSpec", ABSENT, "spec.headGroupSpec", "required and missing"),
        (DEV, "spec.workerGroupSpecs.0.groupName", ABSENT, "spec.workerGroupSpecs.0.groupName", "required"),
        (DEV, "spec.workerGroupSpecs.0.minReplicas", "2", "spec.workerGroupSpecs.0.minReplicas", "'2' is no integer"),
        (DEV, "spec.workerGroupSpecs.0.maxReplicas", 2**31, "spec.workerGroupSpecs.0.maxReplicas", "no int32"),
        (DEV, f"{HEAD}.resources.limits.cpu", 1.5, f"{HEAD}.resources.limits.cpu", "no integer and no string"),
        (DEV, f"{HEAD}.resources.limits.memory", "4 GB", f"{HEAD}.resources.limits.memory", "does not match"),
        (DEV, f"{HEAD}.env.0.name", ABSENT, f"{HEAD}.env.0.name", "required and missing"),
        (DEV, f"{HEAD}.ports", [PORT, PORT], f"{HEAD}.ports.1", "containerPort 8080, protocol TCP is there already"),
        (DEV, "spec.autoscalerOptions.upscalingMode", "Fast", "spec.autoscalerOptions.upscalingMode", "none of"),
        (DEV, "spec.managedBy", "me", "spec.managedBy", "must be either 'ray.io/kuberay-operator'"),
        (DEV, "metadata.lables", {}, "metadata.lables", "known here: annotations"),
        (DEV, "apiVersion", "ray.io/v2", "kind", "ray.io/v1"),
        (API, "spec.serveConfigV2", None, "spec.serveConfigV2", "None is no string"),
        (POLICY, "kind", "NetworkPolicyPeer", "kind", "neither Kubernetes nor KubeRay"),
        (POLICY, "kind", "RayCronjob", "kind", "neither Kubernetes nor KubeRay"),
        (POLICY, "spec.egress.0.ports.0.prot", 53, "spec.egress.0.ports.0.prot", "no such field"),
        (POLICY, "spec.egress.0.ports.0.port", 5.3, "spec.egress.0.ports.0.port", "5.3 is no"),
        ("Role retail-launcher", "rules.0.verbs", ABSENT, "rules.0.verbs", "required and missing"),
        ("ConfigMap retail-settings", "data.RETAIL_HOME", 1, "data.RETAIL_HOME", "1 is no string"),
        ("ResourceQuota retail", "spec.hard.[requests.cpu]", "4 cpus", "spec.hard.[requests.cpu]", "does not match"),
        ("Job retail-migrate", "spec.template.spec.container", [], "spec.template.spec.container", "no such field"),
    ],
)
def test_a_broken_object_is_refused(
    edited: Edit, schemas: Crds, name: str, path: str, value: object, field: str, reason: str
) -> None:
    found = schema.check([Manifest(edited(name, path, value), "base/x.yaml")], schemas)
    assert [(item.rule, item.file, item.field) for item in found] == [("schema", "base/x.yaml", field)]
    assert reason in found[0].reason
    assert found[0].remedy


def test_what_may_not_change_is_refused_in_an_update_only(edited: Edit, schemas: Crds) -> None:
    old = edited(API, "spec.rayClusterConfig.managedBy", "ray.io/kuberay-operator")
    new = edited(API, "spec.rayClusterConfig.managedBy", "kueue.x-k8s.io/multikueue")
    assert schema.violations(new, schemas) == []
    assert schema.violations(new, schemas, copy.deepcopy(new)) == []
    changed = schema.violations(new, schemas, old)
    assert [item.field for item in changed] == ["spec.rayClusterConfig.managedBy"]
    assert "immutable" in changed[0].reason


def test_the_cel_rules_of_deletion_are_evaluated(edited: Edit, schemas: Crds) -> None:
    rule: dict[str, Any] = {
        "policy": "DeleteCluster",
        "condition": {"jobStatus": "FAILED", "jobDeploymentStatus": "Failed"},
    }
    body = edited("RayJob retail-basket-pairs", "spec.deletionStrategy", {"deletionRules": [rule]})
    fields = [item.field for item in schema.violations(body, schemas)]
    assert fields == ["spec.deletionStrategy.deletionRules.0.condition"]
    del rule["condition"]["jobStatus"]
    assert schema.violations(body, schemas) == []


def test_defaults_are_filled_in_where_nothing_stands(edited: Edit, schemas: Crds) -> None:
    body = edited(DEV, "spec.workerGroupSpecs.1.maxReplicas", ABSENT)
    before = copy.deepcopy(body)
    made = schema.with_defaults(body, schemas)
    assert body == before
    groups = made["spec"]["workerGroupSpecs"]
    assert [group["replicas"] for group in groups] == [0, 0]
    assert groups[1]["maxReplicas"] == 2**31 - 1
    assert groups[0]["maxReplicas"] == before["spec"]["workerGroupSpecs"][0]["maxReplicas"]
    assert made["spec"]["headGroupSpec"]["template"]["spec"]["containers"][0]["ports"][0]["protocol"] == "TCP"
    assert schema.with_defaults(edited(POLICY), schemas) == edited(POLICY)


STRUCTURE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "embedded": {"type": "object", "x-kubernetes-embedded-resource": True, "properties": {"spec": {}}},
        "closed": {"type": "object"},
        "maybe": {"type": "string", "nullable": True},
        "set": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
        "map": {"type": "object", "additionalProperties": {"type": "integer", "format": "int64"}},
        "either": {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True},
        "when": {"type": "string", "format": "date-time"},
        "size": {"type": "integer", "default": 3},
        "groups": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "fixed": {"type": "integer", "x-kubernetes-validations": [{"rule": "self == oldSelf"}]},
                },
            },
        },
    },
}


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        ({"any": {"what": {"ever": [1, {"a": 1}]}}, "maybe": None, "map": {"a.b": 1}, "either": "5%"}, []),
        ({"embedded": {"apiVersion": "v1", "kind": "X", "metadata": {"name": "x"}, "spec": {}}}, []),
        ({"embedded": {"status": {}}, "closed": {"a": 1}}, ["embedded.status", "closed.a"]),
        ({"set": ["a", "b", "a"]}, ["set.2"]),
        ({"map": {"a.b": 2**63}, "when": "2026-08-19"}, ["map.[a.b]", "when"]),
        ({"when": "2026-08-19T10:00:00Z", "size": True}, ["size"]),
    ],
)
def test_structural_schemas_are_obeyed(value: dict[str, Any], fields: list[str]) -> None:
    found = structural.judged(structural.filled(value, STRUCTURE), STRUCTURE)
    assert sorted(item.field for item in found) == sorted(fields)


@pytest.mark.parametrize(("value", "count"), [({"a": 1}, 0), ({"a": 2}, 1), ({}, 1)])
def test_a_rule_that_fails_or_cannot_be_evaluated_refuses(value: dict[str, int], count: int) -> None:
    rule = {"type": "object", "additionalProperties": {}, "x-kubernetes-validations": [{"rule": "self.a == 1"}]}
    found = structural.judged(value, rule)
    assert [item.field for item in found] == [""] * count
    assert all("self.a == 1" in item.reason for item in found)


def test_items_of_a_map_are_compared_by_their_key() -> None:
    old = {"groups": [{"name": "a", "fixed": 1}, {"name": "b", "fixed": 2}]}
    moved = {"groups": [{"name": "b", "fixed": 2}, {"name": "c", "fixed": 9}, {"name": "a", "fixed": 7}]}
    assert [item.field for item in structural.judged(moved, STRUCTURE, old)] == ["groups.2.fixed"]
    assert structural.filled({"size": None}, STRUCTURE) == {"size": 3}
