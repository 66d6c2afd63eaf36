"""Rules about the replicas in Serve's configuration: what they ask for and how many; knows no port and no upgrade."""

from collections.abc import Iterator, Mapping
from typing import Any

from cluster.manifests.objects import Manifest, Overlay
from cluster.manifests.rules.parts import quantity, ray_clusters
from cluster.manifests.rules.rayservice import deployments, serve_config
from cluster.manifests.rules.rule import Change, Found, Rule

ENVIRONMENT = frozenset({"env_vars"})


def _deployments(overlay: Overlay) -> Iterator[tuple[Manifest, str, Mapping[str, Any], Mapping[str, Any]]]:
    """Give each deployment with its RayService, its path and what its replicas ask for."""
    for manifest in overlay.of("RayService"):
        for path, deployment in deployments(serve_config(manifest)):
            options = deployment.get("ray_actor_options") or {}
            yield manifest, f"spec.serveConfigV2.{path}", deployment, options


def _cpus(overlay: Overlay) -> Iterator[Found]:
    for manifest, path, _, options in _deployments(overlay):
        value = options.get("num_cpus", 1)
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            yield Found(
                manifest, f"{path}.ray_actor_options.num_cpus", f"{value!r}: a replica that asks for no CPU can stand"
                " on the head, and any number of them on one node", "Ask for some of a CPU.",
            )  # fmt: skip


def _resources(overlay: Overlay) -> Iterator[Found]:
    offers = {cluster.manifest.name: [group.resources for group in cluster.workers()] for cluster in _services(overlay)}
    for manifest, path, _, options in _deployments(overlay):
        asked = {**(options.get("resources") or {}), **({"GPU": options["num_gpus"]} if "num_gpus" in options else {})}
        asked = {name: value for name, value in asked.items() if quantity(value) != 0}
        has_room = any(
            all((quantity(offer.get(name)) or 0) >= (quantity(value) or 0) and name in offer for name, value in
                asked.items()) for offer in offers.get(manifest.name, ())
        )  # fmt: skip
        if asked and not has_room:
            yield Found(
                manifest, f"{path}.ray_actor_options.resources", f"No group of its cluster offers {asked}: the replicas"
                " would wait for ever", "Ask for what a group declares.",
            )  # fmt: skip


def _services(overlay: Overlay) -> Iterator[Any]:
    return (cluster for cluster in ray_clusters(overlay) if cluster.manifest.kind == "RayService")


def _environments(overlay: Overlay) -> Iterator[Found]:
    given = [
        (manifest, f"spec.serveConfigV2.applications.{position}.runtime_env", application.get("runtime_env"))
        for manifest in overlay.of("RayService")
        for position, application in enumerate(serve_config(manifest).get("applications") or ())
    ]
    given += [
        (manifest, f"{path}.ray_actor_options.runtime_env", options.get("runtime_env"))
        for manifest, path, _, options in _deployments(overlay)
    ]
    for manifest, path, environment in given:
        more = sorted(set(environment or {}) - ENVIRONMENT)
        if more:
            yield Found(
                manifest, path, f"{', '.join(more)}: a node would fetch or install it while traffic waits",
                "Put it into the image; env_vars only.",
            )  # fmt: skip


def _counts(overlay: Overlay) -> Iterator[Found]:
    for manifest, path, deployment, _ in _deployments(overlay):
        scaling = deployment.get("autoscaling_config") or {}
        given = {f"autoscaling_config.{name}": scaling[name] for name in (
            "min_replicas", "initial_replicas", "max_replicas") if scaling.get(name) is not None}  # fmt: skip
        if deployment.get("num_replicas", "auto") not in {None, "auto"}:
            given["num_replicas"] = deployment["num_replicas"]
        for name, value in given.items():
            if isinstance(value, bool) or not isinstance(value, int):
                yield Found(
                    manifest, f"{path}.{name}", f"{value!r} is no whole number", "Write a number, without quotes."
                )


API, GATEWAY = "RayService retail-api", "spec.serveConfigV2.applications.0.deployments.0"
RULES = (
    Rule(
        "replicas-ask-cpus", "house; Ray 2.60.0", "Every replica asks for some of a CPU, so none stands on the head.",
        _cpus, (Change(API, f"{GATEWAY}.ray_actor_options.num_cpus", 0),),
    ),
    Rule(
        "replicas-resources", "house; Ray 2.60.0", "What replicas ask for beside CPUs is offered by a group.",
        _resources, (Change(API, f"{GATEWAY}.ray_actor_options.resources", {"gateway": 1}),),
    ),
    Rule(
        "replicas-environment", "house", "A runtime environment in Serve's configuration has env_vars only.",
        _environments, (Change(API, "spec.serveConfigV2.applications.0.runtime_env", {"pip": ["httpx"]}),),
    ),
    Rule(
        "replica-counts", "house; Serve reads a text as a number, other readers do not",
        "Numbers of replicas are numbers.", _counts,
        (Change(API, f"{GATEWAY}.autoscaling_config.max_replicas", "3"),),
    ),
)  # fmt: skip
