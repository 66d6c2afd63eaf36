"""What is explained is what the manifests say: pods, quota, Spark's place, and who reaches what."""

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from typer.testing import CliRunner

from cluster.manifests.explain import as_dict, explain, spark_in
from cluster.manifests.objects import Manifest, Overlay
from cluster.manifests.reach import Reach, reaches
from ray_apps.cli import app
from tests.unit.cluster.manifests.conftest import named

HEAD, SERVE, ETL = "RayService retail-api head", "RayService retail-api serve", "RayCluster retail-dev etl"


def ways(overlay: Overlay, source: str, target: str) -> Iterator[Reach]:
    """Give how one reaches the other."""
    return (way for way in reaches(overlay) if source in way.sources and target in way.targets)


def ports(overlay: Overlay, source: str, target: str) -> list[tuple[str, ...]]:
    return [way.ports for way in ways(overlay, source, target)]


def changed(overlay: Overlay, name: str, **spec: Any) -> Overlay:
    """Copy an overlay with parts of an object's specification replaced; without any, without the object."""
    old = named(overlay, name)
    new = [Manifest({**old.body, "spec": {**old.spec, **spec}}, old.file)] if spec else []
    return replace(overlay, objects=[*(item for item in overlay.objects if item is not old), *new])


def settings(overlay: Overlay, **values: str | None) -> Overlay:
    old = named(overlay, "ConfigMap retail-settings")
    body: dict[str, Any] = copy.deepcopy(dict(old.body))
    body["data"] |= {name: value for name, value in values.items() if value is not None}
    for name in (name for name, value in values.items() if value is None):
        del body["data"][name]
    return replace(overlay, objects=[*(item for item in overlay.objects if item is not old), Manifest(body)])


def test_only_the_edge_reaches_serve_from_outside(overlays: Mapping[str, Overlay]) -> None:
    for overlay in overlays.values():
        outside = {source for way in reaches(overlay) for source in way.sources if SERVE in way.targets} - {HEAD, SERVE}
        assert {name for name in outside if name.startswith("namespace")} == {
            "namespace ingress-nginx", "namespace monitoring",
        }  # fmt: skip
        assert "anyone" not in outside
        assert ports(overlay, "namespace ingress-nginx", SERVE) == [("TCP 8000",)]
        assert ports(overlay, "namespace ingress-nginx", HEAD) == []


def test_a_ray_cluster_reaches_itself_at_every_port_and_no_other(dev: Overlay) -> None:
    assert ports(dev, HEAD, SERVE) == ports(dev, SERVE, HEAD) == [()]
    assert ports(dev, ETL, SERVE) == ports(dev, SERVE, ETL) == ports(dev, ETL, HEAD) == []


def test_a_job_s_submitter_reaches_heads_at_the_dashboard(dev: Overlay) -> None:
    way = next(ways(dev, "RayJob retail-daily-refresh submitter", "RayJob retail-daily-refresh head"))
    assert (way.ports, way.policies) == (("TCP 8265",), ("retail-submitter", "retail-submitter-to-heads"))
    assert ports(dev, "RayJob retail-daily-refresh submitter", "RayJob retail-daily-refresh etl") == []


@pytest.mark.parametrize("side", ["retail-submitter", "retail-submitter-to-heads"])
def test_a_way_needs_both_of_its_ends(dev: Overlay, side: str) -> None:
    closed = changed(dev, f"NetworkPolicy {side}")
    assert ports(closed, "RayJob retail-daily-refresh submitter", "RayJob retail-daily-refresh head") == []


def test_ports_of_both_ends_must_meet(dev: Overlay) -> None:
    name, target = "RayJob retail-daily-refresh submitter", "RayJob retail-daily-refresh head"
    rule = named(dev, "NetworkPolicy retail-submitter").spec["egress"][0]
    wide = changed(dev, "NetworkPolicy retail-submitter", egress=[{"to": rule["to"]}])
    assert ports(wide, name, target) == [("TCP 8265",)]
    other = changed(dev, "NetworkPolicy retail-submitter", egress=[{**rule, "ports": [{"port": 10001}]}])
    assert ports(other, name, target) == []


def test_without_the_default_deny_what_no_policy_selects_is_open(dev: Overlay) -> None:
    deny, dns = "NetworkPolicy retail-default-deny", "NetworkPolicy retail-dns"
    assert ports(dev, "anyone", "Job retail-migrate") == []
    opened = changed(dev, deny)
    assert ports(opened, "anyone", "Job retail-migrate") == [()]
    assert next(ways(opened, "anyone", "Job retail-migrate")).policies == ("no policy",)
    assert ports(opened, "anyone", HEAD) == []
    assert ("",) not in ports(changed(opened, dns), HEAD, "anywhere")


@pytest.mark.parametrize(
    ("peer", "name"),
    [
        ({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}, "addresses 10.0.0.0/8 but 10.1.0.0/16"),
        ({"namespaceSelector": {}}, "namespace of any name"),
        ({"namespaceSelector": {"matchExpressions": [{"key": "edge", "operator": "Exists"}]}}, "namespace edge Exists"),
        (
            {"namespaceSelector": {"matchLabels": {"a": "b"}}, "podSelector": {"matchLabels": {"app": "x"}}},
            "namespace a=b, pods app=x",
        ),
    ],
)
def test_strangers_are_named(dev: Overlay, peer: dict[str, Any], name: str) -> None:
    rule = {"from": [peer], "ports": [{"port": 8000, "endPort": 8010}, {"protocol": "UDP"}]}
    edge = changed(dev, "NetworkPolicy retail-edge-to-serve", ingress=[rule])
    assert ports(edge, name, SERVE) == [("TCP 8000-8010", "UDP every")]
    assert ports(edge, "namespace ingress-nginx", SERVE) == []


def test_spark_works_on_a_folder_and_not_on_buckets(overlays: Mapping[str, Overlay]) -> None:
    dev, prod = spark_in(overlays["dev"]), spark_in(overlays["prod"])
    assert dev.works and "1 executors at least, 1 at first, 1 at most" in dev.why
    assert dev.groups == {f"{name} spark": 1 for name in (
        "RayCluster retail-dev", "RayJob retail-basket-pairs", "RayJob retail-daily-refresh",
    )}  # fmt: skip
    assert not prod.works
    assert "s3://retail-lake/lake" in prod.why and "hadoop-aws" in prod.why and "RETAIL_JOIN=local" in prod.why


def test_why_spark_does_not_work_is_told(dev: Overlay) -> None:
    assert "RETAIL_JOIN=auto" in spark_in(settings(dev, RETAIL_LAKE_URI="gs://x/y")).why
    local = spark_in(settings(dev, RETAIL_JOIN="local"))
    assert (local.works, local.why) == (False, "RETAIL_JOIN=local: every join runs on the local engine")
    nowhere = spark_in(settings(dev, RETAIL_SPARK_EXECUTOR_RESOURCE="gpu"))
    assert not nowhere.works and "no worker group" in nowhere.why
    defaults = settings(dev, RETAIL_SPARK_MIN_EXECUTORS=None, RETAIL_SPARK_INITIAL_EXECUTORS=None)
    assert "2 executors at least, 4 at first, 1 at most" in spark_in(defaults).why


def test_the_sums_are_those_of_the_groups(overlays: Mapping[str, Overlay]) -> None:
    for overlay in overlays.values():
        said = as_dict(explain(overlay))
        assert said["at_max"]["pods"] == sum(part["max"] for part in said["pods"])
        service = sum(part["max"] for part in said["pods"] if part["object"] == "RayService retail-api")
        assert said["upgrade"]["pods"] == said["at_max"]["pods"] + service
        assert {room["resource"] for room in said["quotas"]} >= {"pods", "requests.cpu", "requests.memory"}
        assert all(room["holds"] for room in said["quotas"])


def test_the_command_explains_in_a_table_and_as_json(dev: Overlay) -> None:
    shown = CliRunner().invoke(app, ["cluster", "explain", "dev"])
    assert shown.exit_code == 0
    for text in (
        "RayService retail-api",
        "all during an upgrade",
        "requests.cpu",
        "namespace ingress-nginx",
        "TCP 8000",
    ):
        assert text in shown.stdout
    assert "RayService retail-api (head," in shown.stdout
    said = CliRunner().invoke(app, ["cluster", "explain", "dev", "--json"])
    assert json.loads(said.stdout) == json.loads(json.dumps(as_dict(explain(dev))))
