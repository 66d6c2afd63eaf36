"""Rules about what stands around Ray's pods: disruption budgets and quotas; knows no policy of the network."""

from collections.abc import Iterator

from cluster.manifests.capacity import shortages
from cluster.manifests.objects import Overlay
from cluster.manifests.rules.parts import Pod, containers, pods, selects, workers
from cluster.manifests.rules.rule import ABSENT, Change, Found, Rule

COUNTED = {
    "cpu": ("requests", "cpu"),
    "requests.cpu": ("requests", "cpu"),
    "limits.cpu": ("limits", "cpu"),
    "memory": ("requests", "memory"),
    "requests.memory": ("requests", "memory"),
    "limits.memory": ("limits", "memory"),
}
"""Kubernetes refuses a pod with a container that does not state what a quota counts; of these resources only."""


def _serving(overlay: Overlay) -> Iterator[Pod]:
    for pod in pods(overlay):
        if pod.group and pod.manifest.kind == "RayService":
            yield pod


def _budgets(overlay: Overlay) -> Iterator[Found]:
    budgets = [budget.spec.get("selector") for budget in overlay.of("PodDisruptionBudget")]
    for pod in _serving(overlay):
        if pod.group and not any(selects(budget, pod.labels()) for budget in budgets):
            yield pod.found(
                "metadata.labels", f"No PodDisruptionBudget takes {pod.group.name}: a drained node may end all of it",
                "Select it in a PodDisruptionBudget.",
            )  # fmt: skip


def _quota_counts(overlay: Overlay) -> Iterator[Found]:
    hard = {name for quota in overlay.of("ResourceQuota") for name in quota.spec.get("hard") or {}}
    for container in containers(overlay):
        given_by_kuberay = container.is_autoscaler and "resources" not in container.body
        for name in () if given_by_kuberay else sorted(hard & set(COUNTED)):
            kind, resource = COUNTED[name]
            if container.amount(kind, resource) is None and container.amount("limits", resource) is None:
                yield container.found(
                    f"resources.{kind}.{resource}", f"The quota counts {name}: a pod that leaves it out is refused",
                    "State it.",
                )  # fmt: skip


def _quota_holds(overlay: Overlay) -> Iterator[Found]:
    if any("maxReplicas" not in group.body for group in workers(overlay)):
        return
    for short in shortages(overlay):
        yield Found(
            short.quota, f"spec.hard.[{short.resource}]",
            f"{short.hard:f} is less than {short.needed:f}, which all pods at their maximum ask for while an upgrade"
            " runs a second cluster of each RayService", "Raise it; `retail cluster explain` gives the sum.",
        )  # fmt: skip


MIGRATE, FIRST = "Job retail-migrate", "spec.template.spec.containers.0"
RULES = (
    Rule(
        "quota-holds-upgrade", "house; KubeRay issues 1476, 2274",
        "The quota holds all pods at their maximum and the second cluster of an upgrade.", _quota_holds,
        (Change("ResourceQuota retail", "spec.hard.[requests.cpu]", "1"),),
    ),
    Rule(
        "disruption-budgets", "house; KubeRay issues 5004, 5142",
        "Each group of a RayService, and its head, is in a PodDisruptionBudget.", _budgets,
        (Change("PodDisruptionBudget retail-api-head", "", ABSENT),),
        found_at=("RayService retail-api", "headGroupSpec.template.metadata.labels"),
    ),
    Rule(
        "quota-counts-what-pods-state", "Kubernetes, ResourceQuota",
        "Every container states what a quota counts; KubeRay's own state CPU and memory.", _quota_counts,
        (
            Change("ResourceQuota retail", "spec.hard.[limits.cpu]", "5000"),
            Change(MIGRATE, f"{FIRST}.resources.limits.cpu", ABSENT),
        ),
        found_at=(MIGRATE, "resources.limits.cpu"),
    ),
)  # fmt: skip
