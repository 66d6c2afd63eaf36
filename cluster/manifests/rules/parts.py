"""What rules look at: the Ray clusters, groups, pods and containers of an overlay with their paths; judges nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from cluster.manifests.objects import RAY_CLUSTERS, Body, Manifest, Overlay
from cluster.manifests.quantities import amount
from cluster.manifests.rules.rule import Found

POD_PATHS = {
    "Pod": "",
    "Deployment": "spec.template",
    "StatefulSet": "spec.template",
    "DaemonSet": "spec.template",
    "Job": "spec.template",
    "CronJob": "spec.jobTemplate.spec.template",
}
"""Where other kinds hold the template of their pods."""
SUBMITTER_PATH = "spec.submitterPodTemplate"
"""Where a RayJob holds the template of the pod that submits it."""
ANY = ""
"""Value of a label that the operator sets at run time: a selector that asks for any value of it matches."""


def at(body: Any, path: str) -> Any:
    """Read the value at a dotted path; None where a part of it is missing."""
    for step in filter(None, path.split(".")):
        if isinstance(body, Mapping):
            body = body.get(step)
        elif isinstance(body, list) and step.isdigit() and int(step) < len(body):
            body = body[int(step)]
        else:
            return None
    return body


def quantity(value: object) -> Decimal | None:
    """Read a quantity of Kubernetes; None where there is none, or none that can be read."""
    try:
        return None if value is None else amount(value)
    except ValueError:
        return None


def join(*steps: object) -> str:
    """Write a dotted path; a step that holds dots stands in brackets."""
    return ".".join(f"[{step}]" if "." in str(step) and n else str(step) for n, step in enumerate(steps) if step != "")


@dataclass(frozen=True)
class RayCluster:
    """A Ray cluster that one of KubeRay's kinds describes.

    Attributes:
        manifest: The object that holds it.
        path: Path of the cluster in the object.
        body: The cluster.
    """

    manifest: Manifest
    path: str
    body: Body

    def groups(self) -> Iterator["Group"]:
        """Give the head, then the worker groups."""
        yield Group(self, join(self.path, "headGroupSpec"), self.body.get("headGroupSpec") or {}, is_head=True)
        yield from self.workers()

    def workers(self) -> Iterator["Group"]:
        """Give the worker groups."""
        for position, body in enumerate(self.body.get("workerGroupSpecs") or ()):
            yield Group(self, join(self.path, "workerGroupSpecs", position), body)

    def head(self) -> "Group":
        """Give the head."""
        return next(self.groups())

    def found(self, field: str, reason: str, remedy: str) -> Found:
        """Refuse a field of the cluster."""
        return Found(self.manifest, f"{self.path}.{field}", reason, remedy)


@dataclass(frozen=True)
class Group:
    """The head or a worker group of a Ray cluster.

    Attributes:
        cluster: The cluster that it belongs to.
        path: Path of the group in the object.
        body: The group.
        is_head: Whether it is the head.
    """

    cluster: RayCluster
    path: str
    body: Body
    is_head: bool = False

    @property
    def name(self) -> str:
        """Its name; KubeRay calls the head's `headgroup`."""
        return "headgroup" if self.is_head else str(self.body.get("groupName", ""))

    @property
    def resources(self) -> Mapping[str, str]:
        """What Ray is told that a node of it has."""
        resources: Mapping[str, str] = self.body.get("resources") or {}
        return resources

    @property
    def params(self) -> Mapping[str, str]:
        """Its `rayStartParams`."""
        params: Mapping[str, str] = self.body.get("rayStartParams") or {}
        return params

    def pod(self) -> "Pod":
        """Give the template of its pods."""
        return Pod(self.cluster.manifest, join(self.path, "template"), self.body.get("template") or {}, self)

    def found(self, field: str, reason: str, remedy: str) -> Found:
        """Refuse a field of the group."""
        return Found(self.cluster.manifest, f"{self.path}.{field}", reason, remedy)


@dataclass(frozen=True)
class Pod:
    """The template of a pod.

    Attributes:
        manifest: The object that holds it.
        path: Path of the template in the object.
        template: Its metadata and specification.
        group: The group of a Ray cluster that it belongs to; None for others.
    """

    manifest: Manifest
    path: str
    template: Body
    group: Group | None = None

    @property
    def spec(self) -> Body:
        """Its specification."""
        spec: Body = self.template.get("spec") or {}
        return spec

    def labels(self) -> Mapping[str, str]:
        """Give the labels that its pods will have, `ANY` where the operator chooses the value."""
        written: Mapping[str, str] = at(self.template, "metadata.labels") or {}
        owner = self.manifest
        if self.group is None:
            jobs = {"job-name": ANY, "batch.kubernetes.io/job-name": ANY}
            made = jobs if owner.kind in {"Job", "CronJob", "RayJob"} else {}
            if self.path == SUBMITTER_PATH:
                made |= {"ray.io/originated-from-cr-name": ANY, "ray.io/originated-from-crd": "RayJob"}
            return {**made, **written}
        fixed = {
            "ray.io/cluster": owner.name if owner.kind == "RayCluster" else ANY,
            "ray.io/node-type": "head" if self.group.is_head else "worker",
            "ray.io/group": self.group.name,
        }
        serving = {"ray.io/serve": "true"} if owner.kind == "RayService" else {}
        made = {"ray.io/is-ray-node": "yes", "ray.io/identifier": ANY, "app.kubernetes.io/name": "kuberay"}
        return {**made, "app.kubernetes.io/created-by": "kuberay-operator", **serving, **written, **fixed}

    def containers(self) -> Iterator["Container"]:
        """Give its containers, the first ones included, and the autoscaler's that KubeRay adds to a head."""
        for key in ("initContainers", "containers"):
            for position, body in enumerate(self.spec.get(key) or ()):
                yield Container(self, join(self.path, "spec", key, position), body)
        if self.group and self.group.is_head:
            cluster = self.group.cluster
            if cluster.body.get("enableInTreeAutoscaling"):
                yield Container(
                    self, join(cluster.path, "autoscalerOptions"), cluster.body.get("autoscalerOptions") or {}
                )

    def found(self, field: str, reason: str, remedy: str) -> Found:
        """Refuse a field of the template."""
        return Found(self.manifest, f"{self.path}.{field}" if self.path else field, reason, remedy)


@dataclass(frozen=True)
class Container:
    """A container of a pod.

    Attributes:
        pod: The pod that it belongs to.
        path: Path of the container in the object.
        body: The container; of the autoscaler's what the manifest says about it.
    """

    pod: Pod
    path: str
    body: Body

    @property
    def is_autoscaler(self) -> bool:
        """Whether KubeRay makes it, from `autoscalerOptions`."""
        return self.path.endswith("autoscalerOptions")

    def amount(self, kind: str, resource: str) -> str | None:
        """Give its requests or limits of a resource as written."""
        value = ((self.body.get("resources") or {}).get(kind) or {}).get(resource)
        return None if value is None else str(value)

    def env(self) -> Iterator[tuple[str, Body]]:
        """Give its environment variables with their paths."""
        for position, variable in enumerate(self.body.get("env") or ()):
            yield join(self.path, "env", position), variable

    def found(self, field: str, reason: str, remedy: str) -> Found:
        """Refuse a field of the container."""
        return Found(self.pod.manifest, f"{self.path}.{field}", reason, remedy)


def ray_clusters(overlay: Overlay) -> Iterator[RayCluster]:
    """Give every Ray cluster of an overlay; a RayJob without one is left to the rule `job-cluster`."""
    for manifest in overlay.of(*RAY_CLUSTERS):
        if manifest.ray_cluster or manifest.kind != "RayJob":
            yield RayCluster(manifest, RAY_CLUSTERS[manifest.kind], manifest.ray_cluster)


def groups(overlay: Overlay) -> Iterator[Group]:
    """Give every head and worker group."""
    for cluster in ray_clusters(overlay):
        yield from cluster.groups()


def workers(overlay: Overlay) -> Iterator[Group]:
    """Give every worker group."""
    for cluster in ray_clusters(overlay):
        yield from cluster.workers()


def pods(overlay: Overlay) -> Iterator[Pod]:
    """Give the template of every pod: of Ray's groups, of the pods that submit a RayJob, of jobs and the like."""
    for group in groups(overlay):
        yield group.pod()
    for cluster in ray_clusters(overlay):
        submitter = at(cluster.manifest.body, SUBMITTER_PATH)
        if submitter:
            yield Pod(cluster.manifest, SUBMITTER_PATH, submitter)
    for manifest in overlay.of(*POD_PATHS):
        path = POD_PATHS[manifest.kind]
        yield Pod(manifest, path, at(manifest.body, path) or {})


def containers(overlay: Overlay) -> Iterator[Container]:
    """Give every container of every pod."""
    for pod in pods(overlay):
        yield from pod.containers()


def selects(selector: Body | None, labels: Mapping[str, str]) -> bool:
    """Say whether a label selector of Kubernetes takes these labels; an empty one takes all, None none.

    Args:
        selector: With `matchLabels`, `matchExpressions` or both.
        labels: Of a pod, as `Pod.labels` gives them.

    Returns:
        Whether it does.
    """
    if selector is None:
        return False
    for key, value in (selector.get("matchLabels") or {}).items():
        if key not in labels or labels[key] not in {ANY, value}:
            return False
    return all(_expression(item, labels) for item in selector.get("matchExpressions") or ())


def _expression(item: Body, labels: Mapping[str, str]) -> bool:
    present, values = item["key"] in labels, item.get("values") or ()
    is_in = present and (labels[item["key"]] in values or labels[item["key"]] == ANY)
    return {"In": is_in, "NotIn": not is_in, "Exists": present, "DoesNotExist": not present}.get(
        item["operator"], False
    )
