"""Rules about a RayService: upgrades, ports, who takes traffic; options unknown to Serve are for Ray's readers."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from cluster.manifests.objects import Manifest, Overlay
from cluster.manifests.rules.parts import Container, RayCluster, at, quantity, ray_clusters
from cluster.manifests.rules.rule import ABSENT, Change, Found, Rule

UPGRADE = "NewCluster"
TIMEOUT = "ray.io/initializing-timeout"
DURATION = re.compile(r"(?=.*[1-9])(\d+|(\d+(\.\d+)?(ms|h|m|s))+)")
PRODUCTION = "prod"
LEAST_IN_PRODUCTION = 2


def serve_config(manifest: Manifest) -> Mapping[str, Any]:
    """Read the Serve configuration of a RayService; empty where it is none."""
    try:
        config = yaml.safe_load(str(manifest.spec.get("serveConfigV2", "")))
    except yaml.YAMLError:
        return {}
    return config if isinstance(config, Mapping) else {}


def deployments(config: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give the deployments of every application with their paths in the configuration."""
    for place, application in enumerate(config.get("applications") or ()):
        for position, deployment in enumerate(application.get("deployments") or ()):
            yield f"applications.{place}.deployments.{position}", deployment


def _upgrade(overlay: Overlay) -> Iterator[Found]:
    for manifest in overlay.of("RayService"):
        kind = at(manifest.spec, "upgradeStrategy.type")
        if kind != UPGRADE:
            yield Found(
                manifest, "spec.upgradeStrategy.type",
                f"It is {kind}: the CRD takes any word, the operator three; the others need a Gateway or never upgrade",
                f"Set it to {UPGRADE}.",
            )  # fmt: skip


def _timeout(overlay: Overlay) -> Iterator[Found]:
    for manifest in overlay.of("RayService"):
        value = (at(manifest.body, "metadata.annotations") or {}).get(TIMEOUT)
        if value is not None and not DURATION.fullmatch(value):
            yield Found(
                manifest, f"metadata.annotations.[{TIMEOUT}]", f"{value!r} is no positive duration",
                "Write it as 30m, or in seconds.",
            )  # fmt: skip


def _head_traffic(overlay: Overlay) -> Iterator[Found]:
    for manifest in overlay.of("RayService"):
        if manifest.spec.get("excludeHeadPodFromServeSvc") is not True:
            yield Found(
                manifest, "spec.excludeHeadPodFromServeSvc",
                "Requests would pass through the head, which must not run short of memory", "Set it to true.",
            )  # fmt: skip


def _ray_container(cluster: RayCluster) -> Container | None:
    return next((item for item in cluster.head().pod().containers() if item.path.endswith(".containers.0")), None)


def _ports(overlay: Overlay) -> Iterator[Found]:
    for cluster in ray_clusters(overlay):
        is_service = cluster.manifest.kind == "RayService"
        for group in cluster.groups():
            wanted = {
                "metrics",
                *(["serve"] if is_service else []),
                *(["dashboard", "gcs-server"] if group.is_head else []),
            }
            ports = at(group.pod().spec, "containers.0.ports") or ()
            missing = wanted - {port.get("name") for port in ports}
            if missing:
                yield group.pod().found(
                    "spec.containers.0.ports",
                    f"{', '.join(sorted(missing))} is missing: the operator makes its services of these names",
                    "List every port that is used by its name.",
                )


def _listens(overlay: Overlay) -> Iterator[Found]:
    for cluster in ray_clusters(overlay):
        if cluster.manifest.kind != "RayService":
            continue
        config = serve_config(cluster.manifest)
        ports = {
            port.get("name"): port["containerPort"]
            for port in at(cluster.head().pod().spec, "containers.0.ports") or ()
        }
        options = config.get("http_options") or {}
        wanted = {"host": "0.0.0.0", "port": ports.get("serve", 8000)}
        for key, value in wanted.items():
            if options.get(key, 8000 if key == "port" else "127.0.0.1") != value:
                yield Found(
                    cluster.manifest, f"spec.serveConfigV2.http_options.{key}",
                    f"The serve service sends requests to {value} of each pod; nobody would listen",
                    f"Set it to {value}.",
                )  # fmt: skip
        if config.get("proxy_location", "EveryNode") != "EveryNode":
            yield Found(
                cluster.manifest, "spec.serveConfigV2.proxy_location",
                "The serve service takes pods whose own proxy answers", "Set it to EveryNode.",
            )  # fmt: skip


def _two(overlay: Overlay) -> Iterator[Found]:
    if overlay.name != PRODUCTION:
        return
    for manifest in overlay.of("RayService"):
        for path, deployment in deployments(serve_config(manifest)):
            scaling = deployment.get("autoscaling_config") or {}
            least = scaling.get("min_replicas", deployment.get("num_replicas", 1))
            if (quantity(least) or 0) < LEAST_IN_PRODUCTION:
                yield Found(
                    manifest, f"spec.serveConfigV2.{path}.autoscaling_config.min_replicas",
                    "With a single replica each eviction and each roll-out is an outage",
                    f"Keep {LEAST_IN_PRODUCTION} at least.",
                )  # fmt: skip


def _two_nodes(overlay: Overlay) -> Iterator[Found]:
    for cluster in ray_clusters(overlay):
        for group in cluster.workers():
            is_serving = overlay.name == PRODUCTION and cluster.manifest.kind == "RayService" and group.name == "serve"
            if is_serving and group.body.get("minReplicas", 0) < LEAST_IN_PRODUCTION:
                yield group.found(
                    "minReplicas", "With a single node each eviction is an outage",
                    f"Keep {LEAST_IN_PRODUCTION} at least.",
                )  # fmt: skip


API, HEAD = "RayService retail-api", "spec.rayClusterConfig.headGroupSpec"
RULES = (
    Rule(
        "upgrade-type", "KubeRay 1.7.0, validation.go; house",
        "A RayService upgrades by a new cluster (NewCluster) that takes over when it is healthy.", _upgrade,
        (Change(API, "spec.upgradeStrategy.type", "Newcluster"),),
    ),
    Rule(
        "initializing-timeout", "KubeRay 1.7.0, validation.go",
        "The annotation ray.io/initializing-timeout is a positive duration.", _timeout,
        (Change(API, f"metadata.annotations.[{TIMEOUT}]", "-5m"),),
    ),
    Rule(
        "head-takes-no-traffic", "house", "Requests go to workers only (excludeHeadPodFromServeSvc).", _head_traffic,
        (Change(API, "spec.excludeHeadPodFromServeSvc", ABSENT),),
    ),
    Rule(
        "ports", "KubeRay 1.7.0, service.go and util.go",
        "Ray's container lists `metrics`, on a head `dashboard` and `gcs-server`, in a RayService `serve`.", _ports,
        (Change(API, f"{HEAD}.template.spec.containers.0.ports", [
            {"name": "dashboard", "containerPort": 8265}, {"name": "metrics", "containerPort": 8080}]),),
    ),
    Rule(
        "serve-listens", "house; KubeRay 1.7.0, service.go",
        "Serve listens on every node, on all addresses, at the port `serve`.", _listens,
        (Change(API, "spec.serveConfigV2.http_options.host", "127.0.0.1"),),
    ),
    Rule(
        "two-replicas", "house", "In prod every deployment keeps two replicas at least.", _two,
        (Change(API, "spec.serveConfigV2.applications.0.deployments.0.autoscaling_config.min_replicas", 1),), "prod",
    ),
    Rule(
        "two-serve-nodes", "house", "In prod the group `serve` keeps two nodes at least.", _two_nodes,
        (Change(API, "spec.rayClusterConfig.workerGroupSpecs.0.minReplicas", 1),), "prod",
    ),
)  # fmt: skip
