"""Ray's own readers take what is rendered, and refuse what Ray would not read or would pass over in silence."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from cluster.manifests import readers
from cluster.manifests.crds import Crds
from cluster.manifests.objects import Finding, Manifest, Overlay
from cluster.manifests.rules.rule import ABSENT
from tests.unit.cluster.manifests.conftest import Edit

API, PAIRS, DEV = "RayService retail-api", "RayJob retail-basket-pairs", "RayCluster retail-dev"
SERVE = "spec.serveConfigV2"
GATEWAY = f"{SERVE}.applications.0.deployments.0"


def judged(overlay: Overlay, schemas: Crds, body: Mapping[str, object]) -> list[Finding]:
    return readers.check(replace(overlay, objects=[Manifest(body)]), schemas)


def test_ray_reads_every_overlay(overlays: Mapping[str, Overlay], schemas: Crds) -> None:
    for overlay in overlays.values():
        assert readers.check(overlay, schemas) == []


@pytest.mark.parametrize(
    ("path", "value", "field", "reason"),
    [
        ("http_option", {}, "http_option", "ServeDeploySchema has no such key"),
        ("http_options.prt", 1, "http_options.prt", "no such key"),
        ("applications.0.route", "/", "applications.0.route", "ServeApplicationSchema has no such key"),
        ("applications.0.deployments.0.replicas", 1, "applications.0.deployments.0.replicas", "DeploymentSchema"),
        ("applications.0.import_path", "serve", "applications.0.import_path", "import path"),
        ("applications.0.name", 3, "applications.0.name", "string"),
    ],
)
def test_serve_refuses(
    dev: Overlay, schemas: Crds, edited: Edit, path: str, value: object, field: str, reason: str
) -> None:
    found = judged(dev, schemas, edited(API, f"{SERVE}.{path}", value))
    assert [item.field for item in found] == [f"{SERVE}.{field}"]
    assert reason in found[0].reason


@pytest.mark.parametrize(
    ("path", "value", "field", "reason"),
    [
        ("autoscaling_config.min_replica", 1, "autoscaling_config.min_replica", "AutoscalingConfig has no such key"),
        ("autoscaling_config.max_replicas", 0, "autoscaling_config.max_replicas", "greater than 0"),
        ("autoscaling_config.min_replicas", 99, "autoscaling_config", "max_replicas"),
        ("autoscaling_config.policy", {"policy": "x:Y"}, "autoscaling_config.policy.policy", "no such key"),
        ("ray_actor_options.num_cpu", 1, "ray_actor_options.num_cpu", "RayActorOptionsSchema has no such key"),
        ("ray_actor_options.runtime_env", {"pips": []}, "ray_actor_options.runtime_env", "Ray knows no such entry"),
        ("ray_actor_options.runtime_env", {"env_vars": {"A": 1}}, "ray_actor_options.runtime_env", "env_vars"),
        ("health_check_period_s", 0, "health_check_period_s", "greater than 0"),
        ("request_router_config", {"route": 1}, "request_router_config.route", "RequestRouterConfig has no such key"),
    ],
)
def test_a_deployment_is_refused(
    dev: Overlay, schemas: Crds, edited: Edit, path: str, value: object, field: str, reason: str
) -> None:
    found = judged(dev, schemas, edited(API, f"{GATEWAY}.{path}", value))
    assert f"{GATEWAY}.{field}" in {item.field for item in found}
    assert any(reason in item.reason for item in found)


@pytest.mark.parametrize(("text", "reason"), [("", "no mapping"), ("a: [", "no YAML"), ("[1]", "no mapping")])
def test_a_configuration_that_is_no_mapping_is_refused(
    dev: Overlay, schemas: Crds, edited: Edit, text: str, reason: str
) -> None:
    found = judged(dev, schemas, edited(API) | {"spec": edited(API)["spec"] | {"serveConfigV2": text}})
    assert [(item.field, reason in item.reason) for item in found] == [(SERVE, True)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [("env_var: {A: b}", "env_var: Ray knows no such entry"), ("env_vars: {A: 1}", "env_vars"), ("[", "no YAML")],
)
def test_the_environment_of_a_job_is_refused(dev: Overlay, schemas: Crds, edited: Edit, text: str, reason: str) -> None:
    body = edited(PAIRS)
    body["spec"]["runtimeEnvYAML"] = text
    found = judged(dev, schemas, body)
    assert {item.field for item in found} == {"spec.runtimeEnvYAML"}
    assert any(reason in item.reason for item in found)


@pytest.mark.parametrize(
    ("name", "path", "value", "reason"),
    [
        (DEV, "spec.workerGroupSpecs.0.resources.CPU", "one", "ValueError"),
        (PAIRS, "spec.rayClusterSpec.workerGroupSpecs.0.resources.etl", "x", "ValueError"),
        (API, "spec.rayClusterConfig.workerGroupSpecs.0.rayStartParams", {"num-gpus": "none"}, "ValueError"),
    ],
)
def test_the_autoscaler_refuses(
    dev: Overlay, schemas: Crds, edited: Edit, name: str, path: str, value: object, reason: str
) -> None:
    found = judged(dev, schemas, edited(name, path, value))
    assert [item.rule for item in found] == ["ray-reads"]
    assert found[0].field == path.partition(".workerGroupSpecs")[0]
    assert reason in found[0].reason


def test_the_autoscaler_must_find_a_number_of_cpus(dev: Overlay, schemas: Crds, edited: Edit) -> None:
    body = edited(DEV, "spec.workerGroupSpecs.0.resources", ABSENT)
    assert judged(dev, schemas, body) == []  # from the container's limits
    del body["spec"]["workerGroupSpecs"][0]["template"]["spec"]["containers"][0]["resources"]
    assert "failed to detect `CPU` resources for group etl" in judged(dev, schemas, body)[0].reason
