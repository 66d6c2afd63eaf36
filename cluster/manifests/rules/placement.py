"""Rules about what fits where: replicas and executors into their groups; knows no amount of memory."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from cluster.manifests.objects import Manifest, Overlay
from cluster.manifests.rules.groups import SPARK_GROUP
from cluster.manifests.rules.parts import Group, quantity, ray_clusters
from cluster.manifests.rules.rayservice import deployments, serve_config
from cluster.manifests.rules.rule import Change, Found, Rule
from cluster.settings import Settings

SETTINGS = "retail-settings"
EXECUTORS = ("RETAIL_SPARK_MIN_EXECUTORS", "RETAIL_SPARK_INITIAL_EXECUTORS", "RETAIL_SPARK_MAX_EXECUTORS")
EXECUTOR_RESOURCE, MASTER_RESOURCE = "RETAIL_SPARK_EXECUTOR_RESOURCE", "RETAIL_SPARK_MASTER_RESOURCE"


def _settings(overlay: Overlay) -> tuple[Manifest | None, Mapping[str, str]]:
    config = next((item for item in overlay.of("ConfigMap") if item.name == SETTINGS), None)
    return config, (config.body.get("data") or {}) if config else {}


def _default(name: str) -> str:
    return str(Settings.model_fields[name.removeprefix("RETAIL_").lower()].default)


def _spark_groups(overlay: Overlay) -> Iterator[Group]:
    for cluster in ray_clusters(overlay):
        yield from (group for group in cluster.workers() if group.name == SPARK_GROUP)


def _executors(overlay: Overlay) -> Iterator[Found]:
    config, settings = _settings(overlay)
    if config is None:
        return
    counts = [settings.get(name, _default(name)) for name in EXECUTORS]
    if not all(str(count).isdecimal() for count in counts):
        yield Found(config, f"data.{EXECUTORS[2]}", f"{', '.join(counts)}: no whole numbers", "Write whole numbers.")
        return
    least, first, most = (int(count) for count in counts)
    if not least <= first <= most:
        yield Found(
            config,
            f"data.{EXECUTORS[1]}",
            f"{least} <= {first} <= {most} does not hold",
            "Order minimum, first, maximum.",
        )
    for group in _spark_groups(overlay):
        room = int(group.body.get("maxReplicas", 0)) * int(quantity(group.resources.get(SPARK_GROUP)) or 0)
        if most > room:
            yield Found(
                config, f"data.{EXECUTORS[2]}",
                f"{most} executors; the group {SPARK_GROUP} of {group.cluster.manifest} has room for {room}: Spark"
                " waits for the others as long as it runs",
                "Lower it, or raise the group's maxReplicas.",
            )  # fmt: skip


def _resources(overlay: Overlay) -> Iterator[Found]:
    config, settings = _settings(overlay)
    for group in _spark_groups(overlay) if config else ():
        for name, holder in ((EXECUTOR_RESOURCE, group), (MASTER_RESOURCE, group.cluster.head())):
            resource = settings.get(name, "")
            if config and resource not in holder.resources:
                yield Found(
                    config,
                    f"data.{name}",
                    f"{resource!r} is no resource of the group {holder.name} of {group.cluster.manifest}:"
                    " RayDP waits for it for ever",
                    "Name the resource that the group declares.",
                )


def _replicas(overlay: Overlay) -> Iterator[Found]:
    for cluster in ray_clusters(overlay):
        share = Decimal(0)
        nodes = [
            (quantity(group.resources.get("CPU")) or Decimal(0), int(group.body.get("maxReplicas", 0)))
            for group in cluster.workers()
        ]
        for path, deployment in deployments(serve_config(cluster.manifest)):
            each = quantity((deployment.get("ray_actor_options") or {}).get("num_cpus", 1)) or Decimal(0)
            scaling = deployment.get("autoscaling_config") or {}
            asked = quantity(scaling.get("max_replicas", 1)) or Decimal(0)
            if each <= 0:
                continue  # `replicas-ask-cpus` names it.
            room = sum(int(cpus / each) * most for cpus, most in nodes)
            share += asked / room if room else Decimal(2)
            if share > 1:
                yield Found(
                    cluster.manifest, f"spec.serveConfigV2.{path}.autoscaling_config.max_replicas",
                    f"It asks for {asked} replicas of {each} CPUs each; the groups at their maximum have room for"
                    f" {room}, other deployments left out: some would wait for ever",
                    "Lower it, or raise the group's maxReplicas.",
                )  # fmt: skip


API = "RayService retail-api"
RULES = (
    Rule(
        "executors-fit-group", "house; RayDP 1.6.5",
        "Spark's executors: minimum ≤ first ≤ maximum ≤ what the group `spark` holds at its maximum.", _executors,
        (Change(f"ConfigMap {SETTINGS}", f"data.{EXECUTORS[2]}", "21"),),
    ),
    Rule(
        "spark-resources", "house; RayDP 1.6.5",
        "The resources that Spark's settings name are declared: the executors' by the group `spark`, the master's by"
        " the head.", _resources,
        (Change(f"ConfigMap {SETTINGS}", f"data.{MASTER_RESOURCE}", "spark_head"),),
    ),
    Rule(
        "replicas-fit-groups", "house", "All replicas at their maximum fit into the RayService's groups at theirs.",
        _replicas,
        (Change(API, "spec.serveConfigV2.applications.0.deployments.0.autoscaling_config.max_replicas", 500),),
    ),
)  # fmt: skip
