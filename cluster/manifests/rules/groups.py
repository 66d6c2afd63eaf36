"""Rules about the groups of a Ray cluster: bounds, what Ray sees, idle times; knows nothing of the pods' own fields."""

from collections.abc import Iterator, Mapping

from cluster.manifests.objects import Overlay
from cluster.manifests.rules.parts import Group, groups, ray_clusters, workers
from cluster.manifests.rules.rule import ABSENT, Change, Found, Rule

VALIDATION = "KubeRay 1.7.0, validation.go"
RESOURCE_PARAMS = ("num-cpus", "num-gpus", "memory", "resources")
SPARK_GROUP = "spark"


def _max_stated(overlay: Overlay) -> Iterator[Found]:
    for group in workers(overlay):
        for field in ("minReplicas", "maxReplicas"):
            if field not in group.body:
                yield group.found(
                    field,
                    f"It is not stated for {group.name}; without them a group has room for 2,147,483,647 pods",
                    "State both bounds.",
                )


def _bounds(overlay: Overlay) -> Iterator[Found]:
    for group in workers(overlay):
        least, most = group.body.get("minReplicas", 0), group.body.get("maxReplicas", 0)
        if not 0 <= least <= most:
            yield group.found(
                "minReplicas", f"0 <= {least} <= {most} does not hold for {group.name}",
                "Take a minimum from 0 to the maximum.",
            )  # fmt: skip


def _replicas(overlay: Overlay) -> Iterator[Found]:
    for group in workers(overlay):
        for field in ("replicas", "scaleStrategy"):
            if field in group.body:
                yield group.found(
                    field,
                    "The autoscaler owns it: each time that the manifest is applied it would undo what load asked for",
                    "Leave it out; minReplicas and maxReplicas are the manifest's.",
                )


def _resources_once(overlay: Overlay) -> Iterator[Found]:
    for group in groups(overlay):
        if group.resources:
            for param in RESOURCE_PARAMS:
                if group.params.get(param):
                    yield group.found(
                        f"rayStartParams.{param}", "`resources` says already what Ray sees; the operator takes one",
                        "Say it in `resources` only.",
                    )  # fmt: skip


def _autoscaling(overlay: Overlay) -> Iterator[Found]:
    for cluster in ray_clusters(overlay):
        if cluster.body.get("enableInTreeAutoscaling") is not True:
            yield cluster.found(
                "enableInTreeAutoscaling", "Without it nothing starts the pods that tasks and replicas ask for",
                "Set it to true.",
            )  # fmt: skip


def _version(overlay: Overlay) -> Iterator[Found]:
    for cluster in ray_clusters(overlay):
        version = (cluster.body.get("autoscalerOptions") or {}).get("version")
        if version != "v2":
            yield cluster.found(
                "autoscalerOptions.version",
                f"It is {version}: idle times and priorities of a group need v2, and only v2 is tested here",
                "Set it to v2.",
            )


def _version_twice(overlay: Overlay) -> Iterator[Found]:
    for cluster in ray_clusters(overlay):
        for container in cluster.head().pod().containers():
            for path, variable in container.env():
                if variable["name"] == "RAY_enable_autoscaler_v2":
                    yield Found(
                        cluster.manifest, path, "autoscalerOptions.version and this variable exclude each other",
                        "Leave the variable out.",
                    )  # fmt: skip


def _start_command(overlay: Overlay) -> Iterator[Found]:
    for cluster in ray_clusters(overlay):
        for container in cluster.head().pod().containers():
            for path, variable in container.env():
                if container.is_autoscaler and variable["name"] == "KUBERAY_GEN_AUTOSCALER_START_CMD":
                    yield Found(cluster.manifest, path, "KubeRay writes it itself", "Leave the variable out.")


def _idle(overlay: Overlay) -> Iterator[Found]:
    for cluster in ray_clusters(overlay):
        seconds = (cluster.body.get("autoscalerOptions") or {}).get("idleTimeoutSeconds", 0)
        if seconds < 0:
            yield cluster.found("autoscalerOptions.idleTimeoutSeconds", f"{seconds} s is no time", "Take 0 or more.")
        for group in cluster.workers():
            own = group.body.get("idleTimeoutSeconds")
            if own is None or own < 0:
                yield group.found(
                    "idleTimeoutSeconds",
                    f"{own} for {group.name}: each group says how long a node of it may idle, 0 s or more",
                    "Take the time from the table in docs/kubernetes.md.",
                )


def _restart(overlay: Overlay) -> Iterator[Found]:
    for group in groups(overlay):
        policy = group.pod().spec.get("restartPolicy", "Never")
        if policy != "Never":
            yield group.pod().found(
                "spec.restartPolicy", f"It is {policy}; with autoscaler v2 a pod that ended is replaced, not restarted",
                "Leave it out.",
            )  # fmt: skip


def _sees_cpu(group: Group) -> str | None:
    resources: Mapping[str, str] = group.resources
    return resources.get("CPU", group.params.get("num-cpus"))


def _head_cpu(overlay: Overlay) -> Iterator[Found]:
    for cluster in ray_clusters(overlay):
        if _sees_cpu(cluster.head()) != "0":
            yield cluster.head().found(
                "resources.CPU",
                "Ray sees CPUs on the head: tasks and replicas would run beside the GCS and take it with them",
                'Set it to "0".',
            )


def _spark_cpu(overlay: Overlay) -> Iterator[Found]:
    for group in workers(overlay):
        is_spark, has_resource = group.name == SPARK_GROUP, SPARK_GROUP in group.resources
        if is_spark and not (_sees_cpu(group) == "0" and has_resource):
            yield group.found(
                "resources",
                "A custom resource alone keeps no plain task off this group, and without it no executor finds it",
                'Set CPU to "0" and `spark` to the executors that a node holds.',
            )
        if has_resource and not is_spark:
            yield group.found("resources.spark", "Executors would land there", "Only the group `spark` offers it.")


DEV, DEV_SPEC = "RayCluster retail-dev", "spec.workerGroupSpecs.0"
API, API_SPEC = "RayService retail-api", "spec.rayClusterConfig"
RULES = (
    Rule(
        "group-bounds-stated", "house; the CRD's default is 2147483647",
        "Each worker group states minReplicas and maxReplicas.", _max_stated,
        (Change(DEV, f"{DEV_SPEC}.minReplicas", ABSENT),),
    ),
    Rule(
        "group-bounds", VALIDATION, "0 ≤ minReplicas ≤ maxReplicas.", _bounds,
        (Change(DEV, f"{DEV_SPEC}.minReplicas", 3),), also="readers",
    ),
    Rule(
        "no-replicas", "house; KubeRay issues 4149, 1120", "No manifest sets `replicas`: the autoscaler owns it.",
        _replicas, (Change(DEV, f"{DEV_SPEC}.replicas", 1),),
    ),
    Rule(
        "resources-once", VALIDATION, "`resources` and the rayStartParams of the same meaning exclude each other.",
        _resources_once, (Change(DEV, f"{DEV_SPEC}.rayStartParams.num-cpus", "1"),),
    ),
    Rule(
        "autoscaling-on", "house", "Every Ray cluster scales itself.", _autoscaling,
        (Change(API, f"{API_SPEC}.enableInTreeAutoscaling", False),),
    ),
    Rule(
        "autoscaler-v2", VALIDATION, "The autoscaler is v2: a group's idleTimeoutSeconds and priority need it.",
        _version, (Change(API, f"{API_SPEC}.autoscalerOptions.version", "v1"),),
    ),
    Rule(
        "autoscaler-version-once", VALIDATION,
        "autoscalerOptions.version and the variable RAY_enable_autoscaler_v2 exclude each other.", _version_twice,
        (Change(DEV, "spec.headGroupSpec.template.spec.containers.0.env",
                [{"name": "RAY_enable_autoscaler_v2", "value": "1"}]),),
    ),
    Rule(
        "autoscaler-start-command", VALIDATION, "autoscalerOptions.env leaves KUBERAY_GEN_AUTOSCALER_START_CMD alone.",
        _start_command,
        (Change(DEV, "spec.autoscalerOptions.env", [{"name": "KUBERAY_GEN_AUTOSCALER_START_CMD", "value": "true"}]),),
    ),
    Rule(
        "idle-times", VALIDATION, "Each worker group states idleTimeoutSeconds; no idle time is negative.", _idle,
        (Change(DEV, f"{DEV_SPEC}.idleTimeoutSeconds", -60),),
    ),
    Rule(
        "restart-policy", VALIDATION, "With autoscaler v2 the restartPolicy of Ray's pods is Never or unset.",
        _restart, (Change(DEV, f"{DEV_SPEC}.template.spec.restartPolicy", "OnFailure"),),
    ),
    Rule(
        "head-cpu", "house; Ray issue 48723, KubeRay issue 4287", 'Ray sees CPU "0" on every head.', _head_cpu,
        (Change(API, f"{API_SPEC}.headGroupSpec.resources.CPU", "1"),),
    ),
    Rule(
        "spark-cpu", "house; Ray's autoscaler v2 packs plain tasks there otherwise",
        'The group `spark`, and no other, offers the resource `spark`, and Ray sees CPU "0" there.', _spark_cpu,
        (Change(DEV, "spec.workerGroupSpecs.1.resources.CPU", "1"),),
    ),
)  # fmt: skip
