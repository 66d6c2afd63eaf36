"""Rules about what stands around Ray's pods: disruption budgets and quotas; knows no policy of the network."""

from collections.abc import Iterator

from cluster.manifests.capacity import shortages
from cluster.manifests.objects import Overlay
from cluster.manifests.rules.parts import Pod, pods, selects, workers
from cluster.manifests.rules.rule import ABSENT, Change, Found, Rule

LIMITED = ("pods", "requests.cpu", "requests.memory", "limits.memory", "requests.ephemeral-storage")
CLOSED = ("services.loadbalancers", "services.nodeports")


def _serving(overlay: Overlay) -> Iterator[Pod]:
    for pod in pods(overlay):
        if pod.group and pod.manifest.kind == "RayService":
            yield pod


def _budgets(overlay: Overlay) -> Iterator[Found]:
    budgets = [budget.spec.get("selector") for budget in overlay.of("PodDisruptionBudget")]
    for pod in _serving(overlay):
        count = sum(selects(budget, pod.labels()) for budget in budgets)
        if pod.group and count != 1:
            yield pod.found(
                "metadata.labels",
                f"{count} PodDisruptionBudgets take {pod.group.name}: without one a drained node may end all of it,"
                " with two Kubernetes evicts none of its pods", "Select it in one.",
            )  # fmt: skip


def _spread(overlay: Overlay) -> Iterator[Found]:
    for pod in pods(overlay):
        for position, constraint in enumerate(pod.spec.get("topologySpreadConstraints") or ()):
            if not (constraint.get("labelSelector") or {}) or not selects(constraint["labelSelector"], pod.labels()):
                yield pod.found(
                    f"spec.topologySpreadConstraints.{position}.labelSelector", "It does not count the pod's own kind",
                    "Select the labels of this group.",
                )  # fmt: skip


def _on_demand(overlay: Overlay) -> Iterator[Found]:
    for pod in pods(overlay):
        stays = pod.group and (pod.group.is_head or pod.manifest.kind == "RayService")
        for position, toleration in enumerate((pod.spec.get("tolerations") or ()) if stays else ()):
            if "spot" in toleration.get("key", "spot"):
                yield pod.found(
                    f"spec.tolerations.{position}", "A spot node goes at a minute's notice",
                    "Leave it to the groups `etl` and `spark` of jobs.",
                )  # fmt: skip


def _quota_stated(overlay: Overlay) -> Iterator[Found]:
    for namespace in overlay.of("Namespace"):
        hard: dict[str, object] = {}
        for quota in overlay.of("ResourceQuota"):
            hard |= quota.spec.get("hard") or {}
        for name in LIMITED:
            if name not in hard:
                yield Found(
                    namespace, "metadata.name", f"No ResourceQuota of it limits {name}",
                    "State it; `retail cluster explain` gives the sum.",
                )  # fmt: skip
        for name in CLOSED:
            if str(hard.get(name)) != "0":
                yield Found(
                    namespace,
                    "metadata.name",
                    f"No ResourceQuota of it sets {name} to 0",
                    "Set it: nothing opens a port.",
                )


def _quota_holds(overlay: Overlay) -> Iterator[Found]:
    if any("maxReplicas" not in group.body for group in workers(overlay)):
        return
    try:
        short_of = shortages(overlay)
    except KeyError:
        return  # A pod that is not there cannot be added up; `containers-present` names it.
    for short in short_of:
        yield Found(
            short.quota, f"spec.hard.[{short.resource}]",
            f"{short.hard:f} is less than {short.needed:f}, which all pods at their maximum ask for while an upgrade"
            " runs a second cluster of each RayService", "Raise it; `retail cluster explain` gives the sum.",
        )  # fmt: skip


API, SERVE = "RayService retail-api", "spec.rayClusterConfig.workerGroupSpecs.0.template.spec"
RULES = (
    Rule(
        "quota-holds-upgrade", "house; KubeRay issues 1476, 2274",
        "The quota holds all pods at their maximum and the second cluster of an upgrade.", _quota_holds,
        (Change("ResourceQuota retail", "spec.hard.[requests.cpu]", "1"),),
    ),
    Rule(
        "disruption-budgets", "house; KubeRay issues 5004, 5142",
        "Each group of a RayService, and its head, is in one PodDisruptionBudget, not in two.", _budgets,
        (Change("PodDisruptionBudget retail-api-head", "", ABSENT),),
        found_at=("RayService retail-api", "headGroupSpec.template.metadata.labels"),
    ),
    Rule(
        "spread-counts-itself", "house", "A topologySpreadConstraint selects the pods that it stands in.", _spread,
        (Change(API, f"{SERVE}.topologySpreadConstraints.0.labelSelector.matchLabels.[ray.io/group]", "models"),),
    ),
    Rule(
        "on-demand", "house; KubeRay issues 5004, 5142", "Heads and RayServices never stand on spot nodes.", _on_demand,
        (Change(API, f"{SERVE}.tolerations", [{"key": "retail/spot", "operator": "Exists"}]),),
    ),
    Rule(
        "quota-stated", "house", "The namespace's quota limits pods, CPU, memory and disk, and allows no open port.",
        _quota_stated, (Change("ResourceQuota retail", "spec.hard.pods", ABSENT),),
        found_at=("Namespace retail", "metadata.name"),
    ),
)  # fmt: skip
