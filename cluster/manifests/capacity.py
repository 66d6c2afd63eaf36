"""What an overlay's pods ask of Kubernetes at least, at most and during an upgrade; knows no price and no node."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from cluster.manifests.objects import RAY_CLUSTERS, Body, Manifest, Overlay
from cluster.manifests.quantities import amount

Amounts = dict[str, Decimal]
"""By the names of a ResourceQuota: `pods`, `requests.cpu`, `limits.memory`, `requests.nvidia.com/gpu`."""

AUTOSCALER: Body = {"requests": {"cpu": "500m", "memory": "512Mi"}, "limits": {"cpu": "500m", "memory": "512Mi"}}
"""What KubeRay 1.7.0 gives the autoscaler beside the head where `autoscalerOptions.resources` is missing."""
SUBMITTER: Body = {"requests": {"cpu": "500m", "memory": "200Mi"}, "limits": {"cpu": "1", "memory": "1Gi"}}
"""What KubeRay 1.7.0 gives a RayJob's submitter where `submitterPodTemplate` is missing."""
UNBOUNDED = 2**31 - 1
"""What the CRD fills in for `maxReplicas`."""
SHORT = {"cpu": "requests.cpu", "memory": "requests.memory", "ephemeral-storage": "requests.ephemeral-storage"}
"""A quota's other names for requests."""


@dataclass(frozen=True)
class PodSet:
    """Pods of one kind: a group of a Ray cluster, a submitter, a job's pod.

    Attributes:
        owner: The object that makes them.
        group: `head`, the worker group's name, `submitter` or `pod`.
        least: Pods at least.
        most: Pods at most.
        each: What one of them asks for.
        ray: What Ray is told that a node of it has, of Ray's groups.
    """

    owner: Manifest
    group: str
    least: int
    most: int
    each: Mapping[str, Decimal]
    ray: Mapping[str, str] = field(default_factory=dict)

    def times(self, count: int) -> Amounts:
        """Give what that many of them ask for."""
        return {"pods": Decimal(count), **{name: value * count for name, value in self.each.items()}}


@dataclass(frozen=True)
class Shortage:
    """A quota that an upgrade of the RayService would run into.

    Attributes:
        quota: The ResourceQuota.
        resource: Its name of the resource.
        hard: What it grants.
        needed: What all pods at their maximum ask for, the second cluster of an upgrade included.
    """

    quota: Manifest
    resource: str
    hard: Decimal
    needed: Decimal


def pod_sets(overlay: Overlay) -> list[PodSet]:
    """List what runs in an overlay.

    A RayJob without a name is the CronJob's template: a run of the RayJob that it copies, which the lake's lease lets
    run once at a time. It is not counted again.

    Args:
        overlay: Its objects.

    Returns:
        In the order of the objects.
    """
    return [part for manifest in overlay.objects for part in _of(manifest)]


def total(sets: Iterable[PodSet], *, most: bool) -> Amounts:
    """Add up what pods ask for.

    Args:
        sets: From `pod_sets`.
        most: Whether each group has its maximum, else its minimum.

    Returns:
        The sum by resource.
    """
    added: Amounts = {"pods": Decimal(0)}
    for part in sets:
        for name, value in part.times(part.most if most else part.least).items():
            added[name] = added.get(name, Decimal(0)) + value
    return added


def for_upgrade(overlay: Overlay) -> Amounts:
    """Give what an upgrade needs while everything is at its maximum: each RayService has two clusters meanwhile."""
    sets = pod_sets(overlay)
    return total([*sets, *(part for part in sets if part.owner.kind == "RayService")], most=True)


def granted(overlay: Overlay) -> dict[str, tuple[Manifest, Decimal]]:
    """Give the tightest quota of each resource, by the names that `Amounts` has."""
    found: dict[str, tuple[Manifest, Decimal]] = {}
    for quota in overlay.of("ResourceQuota"):
        for name, value in (quota.spec.get("hard") or {}).items():
            known, hard = SHORT.get(name, name), amount(value)
            if known not in found or hard < found[known][1]:
                found[known] = (quota, hard)
    return found


def shortages(overlay: Overlay) -> list[Shortage]:
    """Compare what an upgrade needs with the quotas."""
    needed = for_upgrade(overlay)
    return [
        Shortage(quota, name, hard, needed[name])
        for name, (quota, hard) in granted(overlay).items()
        if needed.get(name, Decimal(0)) > hard
    ]


def _of(manifest: Manifest) -> Iterator[PodSet]:
    spec = manifest.spec
    if manifest.kind in RAY_CLUSTERS:
        if manifest.name:
            yield from _ray(manifest)
    elif manifest.kind in {"Deployment", "StatefulSet"}:
        count = int(spec.get("replicas", 1))
        yield PodSet(manifest, "pod", count, count, _pod(spec["template"]))
    elif manifest.kind in {"Job", "CronJob"}:
        job = spec["jobTemplate"]["spec"] if manifest.kind == "CronJob" else spec
        yield PodSet(manifest, "pod", 0, int(job.get("parallelism", 1)), _pod(job["template"]))


def _ray(manifest: Manifest) -> Iterator[PodSet]:
    body = manifest.ray_cluster
    waits = manifest.kind == "RayJob" and bool(manifest.spec.get("suspend"))
    mode = manifest.spec.get("submissionMode", "K8sJobMode") if manifest.kind == "RayJob" else ""
    beside = []
    if body.get("enableInTreeAutoscaling"):
        beside.append((body.get("autoscalerOptions") or {}).get("resources") or AUTOSCALER)
    if mode == "SidecarMode":
        beside.append(SUBMITTER)
    head = body.get("headGroupSpec", {}).get("template") or {}
    yield PodSet(manifest, "head", 0 if waits else 1, 1, _pod(head, beside))
    for group in body.get("workerGroupSpecs") or ():
        hosts = int(group.get("numOfHosts", 1))
        least = 0 if waits else int(group.get("minReplicas", 0)) * hosts
        ray = group.get("resources") or {}
        yield PodSet(
            manifest,
            group["groupName"],
            least,
            int(group.get("maxReplicas", UNBOUNDED)) * hosts,
            _pod(group["template"]),
            ray,
        )
    if mode == "K8sJobMode":
        template = manifest.spec.get("submitterPodTemplate")
        yield PodSet(manifest, "submitter", 0 if waits else 1, 1, _pod(template) if template else _stated(SUBMITTER))


def _pod(template: Body, beside: Iterable[Body] = ()) -> Amounts:
    """Add up a pod as the scheduler does: containers and sidecars together, or the dearest first container."""
    spec = template.get("spec") or {}
    runs = [*(container.get("resources") or {} for container in spec.get("containers") or ()), *beside]
    first = spec.get("initContainers") or ()
    runs += [container.get("resources") or {} for container in first if container.get("restartPolicy") == "Always"]
    together: Amounts = {}
    for resources in runs:
        for name, value in _stated(resources).items():
            together[name] = together.get(name, Decimal(0)) + value
    for container in first:
        for name, value in _stated(container.get("resources") or {}).items():
            together[name] = max(together.get(name, Decimal(0)), value)
    return together


def _stated(resources: Body) -> Amounts:
    """Read requests and limits; Kubernetes takes a limit as the request where that is missing."""
    limits = resources.get("limits") or {}
    requests = {**limits, **(resources.get("requests") or {})}
    return {
        **{f"requests.{name}": amount(value) for name, value in requests.items()},
        **{f"limits.{name}": amount(value) for name, value in limits.items()},
    }
