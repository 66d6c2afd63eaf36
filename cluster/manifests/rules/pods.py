"""Rules about what a pod asks for: memory, disk, time to end; knows nothing of security."""

from collections.abc import Iterator

from cluster.manifests.objects import Body, Overlay
from cluster.manifests.rules.parts import Pod, at, containers, groups, pods, quantity
from cluster.manifests.rules.rule import ABSENT, Change, Found, Rule

LEAST_GRACE_S = 60
"""Ray drains a node for up to 30 s after SIGTERM, a replica ends its requests before."""
RAY_FOLDERS = {"/tmp/ray": "", "/dev/shm": "Memory"}
"""Where Ray writes, with the medium of the volume that must be there."""
SEEN = "CPU"
LEAST_OF_HEAD = {"prod": "8Gi"}


def _memory(overlay: Overlay) -> Iterator[Found]:
    for container in containers(overlay):
        asked, most = container.amount("requests", "memory"), container.amount("limits", "memory")
        if not asked or not most or quantity(asked) != quantity(most):
            yield container.found(
                "resources.limits.memory",
                f"Requests {asked}, limits {most}: what a node gives beyond the request it takes back by killing",
                "State both, the same.",
            )


def _cpu(overlay: Overlay) -> Iterator[Found]:
    for container in containers(overlay):
        for kind in ("requests", "limits"):
            if not container.amount(kind, "cpu"):
                yield container.found(
                    f"resources.{kind}.cpu",
                    "Without a request any number of it is put on a node; without a limit Polars and DuckDB start"
                    " a thread for each CPU of the node", "State requests and limits.",
                )  # fmt: skip


def _limits(overlay: Overlay) -> Iterator[Found]:
    for container in containers(overlay):
        for resource in ("cpu", "ephemeral-storage"):
            asked, most = (container.amount(kind, resource) for kind in ("requests", "limits"))
            if asked and most and (quantity(asked) or 0) > (quantity(most) or 0):
                yield container.found(
                    f"resources.limits.{resource}", f"Requests {asked}, limits {most}: the API server refuses the pod",
                    "Ask for no more than the limit.",
                )  # fmt: skip


def _disk(overlay: Overlay) -> Iterator[Found]:
    for container in containers(overlay):
        for kind in ("requests", "limits"):
            if not container.amount(kind, "ephemeral-storage"):
                yield container.found(
                    f"resources.{kind}.ephemeral-storage",
                    "Spilled objects and logs fill the node's disk until Kubernetes evicts what stands there",
                    "State requests and limits.",
                )


def _empty_dirs(overlay: Overlay) -> Iterator[Found]:
    for pod in pods(overlay):
        for position, volume in enumerate(pod.spec.get("volumes") or ()):
            if "emptyDir" in volume and not (volume["emptyDir"] or {}).get("sizeLimit"):
                yield pod.found(
                    f"spec.volumes.{position}.emptyDir.sizeLimit", f"{volume['name']} can grow until the node is full",
                    "State a limit.",
                )  # fmt: skip


def _ray_folders(overlay: Overlay) -> Iterator[Found]:
    for group in groups(overlay):
        pod = group.pod()
        mounts = {mount["mountPath"]: mount["name"] for mount in at(pod.spec, "containers.0.volumeMounts") or ()}
        for folder, medium in RAY_FOLDERS.items():
            volume = _volume(pod, mounts.get(folder))
            if volume is None or (volume.get("emptyDir") or {}).get("medium", "") != medium:
                yield pod.found(
                    "spec.containers.0.volumeMounts",
                    f"{folder} is not on an emptyDir of its own{' in memory' if medium else ''}: Ray's objects"
                    " would go to the container's 64 MB, or its files to a layer that is read-only",
                    f"Mount one at {folder}.",
                )


def _volume(pod: Pod, name: str | None) -> Body | None:
    return next((item for item in pod.spec.get("volumes") or () if item["name"] == name), None)


def _shm(overlay: Overlay) -> Iterator[Found]:
    for group in groups(overlay):
        pod = group.pod()
        limit = at(pod.spec, "containers.0.resources.limits.memory")
        for position, volume in enumerate(pod.spec.get("volumes") or ()):
            size = at(volume, "emptyDir.sizeLimit")
            if at(volume, "emptyDir.medium") == "Memory" and 2 * (quantity(size) or 0) > (quantity(limit) or 0):
                yield pod.found(
                    f"spec.volumes.{position}.emptyDir.sizeLimit",
                    f"{size} in memory of {limit}: what lies there counts against the container",
                    "Take half of the container's memory at most; Ray's object store needs 30 %.",
                )


def _head(overlay: Overlay) -> Iterator[Found]:
    least = LEAST_OF_HEAD.get(overlay.name)
    for group in groups(overlay) if least else ():
        memory = at(group.pod().spec, "containers.0.resources.limits.memory")
        if group.is_head and (quantity(memory) or 0) < (quantity(least) or 0):
            yield group.pod().found(
                "spec.containers.0.resources.limits.memory", f"{memory} is less than {least}: the GCS grows with tasks",
                f"Give the head {least} at least.",
            )  # fmt: skip


def _sees(overlay: Overlay) -> Iterator[Found]:
    for group in groups(overlay):
        if SEEN not in group.resources:
            yield group.found(f"resources.{SEEN}", "Ray would take what the pod is limited to", "Say what Ray sees.")
        for seen, resource in (("CPU", "cpu"), ("memory", "memory")):
            value, asked = (
                group.resources.get(seen),
                at(group.pod().spec, f"containers.0.resources.requests.{resource}"),
            )
            if (quantity(value) or 0) > (quantity(asked) or 0):
                yield group.found(
                    f"resources.{seen}", f"Ray would hand out {value}, the pod is sure of {asked}",
                    "Say what the container requests, or less.",
                )  # fmt: skip


def _grace(overlay: Overlay) -> Iterator[Found]:
    for group in groups(overlay):
        if group.pod().spec.get("terminationGracePeriodSeconds", 30) < LEAST_GRACE_S:
            yield group.pod().found(
                "spec.terminationGracePeriodSeconds", "Ray drains a node for 30 s after SIGTERM",
                f"Give it {LEAST_GRACE_S} s at least.",
            )  # fmt: skip


DEV, HEAD = "RayCluster retail-dev", "spec.headGroupSpec.template.spec"
ETL = "spec.workerGroupSpecs.0"
MIGRATE, FIRST = "Job retail-migrate", "spec.template.spec.containers.0"
RULES = (
    Rule(
        "memory-fixed", "house; KubeRay issue 4287", "Every container requests the memory that it is limited to.",
        _memory, (Change(MIGRATE, f"{FIRST}.resources.limits.memory", "3Gi"),),
    ),
    Rule(
        "cpu-stated", "house", "Every container states requests and limits of CPU.", _cpu,
        (Change(MIGRATE, f"{FIRST}.resources.limits.cpu", ABSENT),),
    ),
    Rule(
        "limits-above-requests", "Kubernetes, validation of pods", "No container asks for more than its limit.",
        _limits, (Change(MIGRATE, f"{FIRST}.resources.limits.cpu", "500m"),),
    ),
    Rule(
        "disk-limited", "house; KubeRay issue 1087, Ray issue 13877",
        "Every container states requests and limits of ephemeral storage.", _disk,
        (Change(DEV, f"{HEAD}.containers.0.resources.limits.ephemeral-storage", ABSENT),),
    ),
    Rule(
        "empty-dirs-limited", "house", "Every emptyDir has a size limit.", _empty_dirs,
        (Change(DEV, f"{HEAD}.volumes.1.emptyDir.sizeLimit", ABSENT),),
    ),
    Rule(
        "ray-folders", "house; Ray 2.60.0",
        "Ray's pods have an emptyDir at /tmp/ray and one in memory at /dev/shm.", _ray_folders,
        (Change(DEV, f"{ETL}.template.spec.containers.0.volumeMounts.0.mountPath", "/elsewhere"),),
    ),
    Rule(
        "shm-within-memory", "house; Kubernetes counts it against the container",
        "What lies in /dev/shm is half of the container's memory at most.", _shm,
        (Change(DEV, f"{HEAD}.volumes.2.emptyDir.sizeLimit", "3Gi"),),
    ),
    Rule(
        "head-memory", "house; KubeRay issue 4287, Ray issue 48723", "In prod a head has 8 GiB at least.", _head,
        (Change("RayService retail-api", "spec.rayClusterConfig.headGroupSpec.template.spec.containers.0.resources", {
            "requests": {"cpu": "2", "memory": "7Gi", "ephemeral-storage": "10Gi"},
            "limits": {"cpu": "2", "memory": "7Gi", "ephemeral-storage": "10Gi"}}),), "prod",
    ),
    Rule(
        "ray-sees-what-is-there", "house",
        "Each group says how many CPUs Ray sees; Ray hands out no more than the container requests.",
        _sees,
        (Change(DEV, f"{ETL}.resources.CPU", "64"),),
    ),
    Rule(
        "time-to-drain", "house; Ray 2.60.0", "Ray's pods have 60 s to end.", _grace,
        (Change(DEV, f"{ETL}.template.spec.terminationGracePeriodSeconds", 30),),
    ),
)  # fmt: skip
