"""All that the harness changes of the rendered manifests: waits, and the values that no manifest holds.

`hurried` is the one place; a test compares what it gives with what was rendered.
"""

import copy
from collections.abc import Sequence
from typing import Any

import yaml

from cluster.manifests.objects import Manifest
from tests.kube.backing import VALKEY_PASSWORD

Object = dict[str, Any]
TOKEN = "the-right-token-of-this-test-0123456789abcdef"
IDLE_S = 4
AUTOSCALER = {"AUTOSCALER_UPDATE_INTERVAL_S": "1"}
"""The autoscaler looks every second, not every five."""
RAY = {
    "RAY_SERVE_PROXY_MIN_DRAINING_PERIOD_S": "3",
    "RAY_SERVE_REPLICA_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "1",
    "RAY_SERVE_HANDLE_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "1",
}
"""A proxy drains for 3 s, not 30; load is reported every second, not every ten."""
SERVE = {"upscale_delay_s": 1.0, "downscale_delay_s": 6.0, "look_back_period_s": 4.0}
"""Serve acts on 1 s of load and 6 s of calm."""


def hurried(rendered: Sequence[Manifest], warehouse_url: str) -> list[Object]:
    """Give the objects with their waits shortened, and the Secrets that a cluster's owner makes.

    Replaced: `idleTimeoutSeconds` of every group and of the autoscaler; the three waits of Serve's autoscaling; the
    variables above, added to the containers of Ray and of the autoscaler; `exec sleep` before a pod's end. Added: the
    Secrets that the manifests name. Nothing else is touched.

    Args:
        rendered: An overlay's objects.
        warehouse_url: PostgreSQL that the pods reach.

    Returns:
        The objects, and the Secrets.
    """
    objects = [copy.deepcopy(dict(manifest.body)) for manifest in rendered if manifest.name]  # templates have none
    for body in objects:
        if body["kind"] in {"RayCluster", "RayJob", "RayService"}:
            _hurry(body["spec"])
    secrets = {
        "retail-secrets": {"RETAIL_WAREHOUSE_URL": warehouse_url, "RETAIL_STORAGE_OPTIONS": "{}"},
        "retail-redis": {"password": VALKEY_PASSWORD},
        "retail-ray-auth": {"auth_token": TOKEN},
    }
    made = [{"kind": "Secret", "metadata": {"name": name}, "stringData": data} for name, data in secrets.items()]
    return objects + made


def _hurry(spec: Object) -> None:
    if "serveConfigV2" in spec:
        config = yaml.safe_load(spec["serveConfigV2"])
        for deployment in _deployments(config):
            deployment.get("autoscaling_config", {}).update(SERVE)
        spec["serveConfigV2"] = yaml.safe_dump(config)
    cluster = spec.get("rayClusterSpec") or spec.get("rayClusterConfig") or spec
    options = cluster.setdefault("autoscalerOptions", {})
    options["idleTimeoutSeconds"] = IDLE_S
    options["env"] = _with(options.get("env", []), AUTOSCALER)
    for group in [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]:
        if "idleTimeoutSeconds" in group:
            group["idleTimeoutSeconds"] = IDLE_S
        ray = group["template"]["spec"]["containers"][0]
        ray["env"] = _with(ray.get("env", []), RAY)
        hook = ray.get("lifecycle", {}).get("preStop", {})
        if "sleep" in hook.get("exec", {}).get("command", []):
            hook["exec"]["command"] = ["sleep", "1"]


def _deployments(config: Object) -> list[Object]:
    return [deployment for application in config["applications"] for deployment in application.get("deployments", [])]


def _with(variables: list[Object], values: dict[str, str]) -> list[Object]:
    kept = [variable for variable in variables if variable["name"] not in values]
    return kept + [{"name": name, "value": value} for name, value in values.items()]
