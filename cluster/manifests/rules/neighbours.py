"""Rules about what stands around Ray's pods: disruption budgets, quotas, priorities; knows no policy of the network."""

from collections import Counter
from collections.abc import Iterator

from cluster.manifests.capacity import shortages
from cluster.manifests.objects import Overlay
from cluster.manifests.rules.parts import Pod, join, pods, quantity, ray_clusters, selects, workers
from cluster.manifests.rules.references import SECRETS
from cluster.manifests.rules.rule import ABSENT, Change, Found, Rule

LIMITED = ("pods", "requests.cpu", "requests.memory", "limits.memory", "requests.ephemeral-storage")
COUNTED = {
    "Job": "jobs.batch", "CronJob": "cronjobs.batch", "RayCluster": "rayclusters.ray.io", "RayJob": "rayjobs.ray.io",
    "RayService": "rayservices.ray.io", "NetworkPolicy": "networkpolicies.networking.k8s.io",
    "PodDisruptionBudget": "poddisruptionbudgets.policy", "ServiceAccount": "serviceaccounts",
    "Role": "roles.rbac.authorization.k8s.io", "RoleBinding": "rolebindings.rbac.authorization.k8s.io",
}  # fmt: skip
"""A quota's names for the number of objects of a kind."""
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


def _counts(overlay: Overlay) -> Iterator[Found]:
    for budget in overlay.of("PodDisruptionBudget"):
        least = budget.spec.get("minAvailable")
        if "maxUnavailable" in budget.spec or not isinstance(least, int) or least < 1:
            yield Found(
                budget, "spec.minAvailable" if "minAvailable" in budget.spec else "spec",
                "Ray's pods have no scale sub-resource: only a whole number of minAvailable is understood",
                "State minAvailable, 1 or more, and nothing else.",
            )  # fmt: skip
            continue
        for pod in _serving(overlay):
            minimum = 1 if pod.group is None or pod.group.is_head else int(pod.group.body.get("minReplicas", 0))
            if selects(budget.spec.get("selector"), pod.labels()) and least > max(1, minimum - 1):
                yield Found(
                    budget, "spec.minAvailable",
                    f"{least} of the {minimum} pods that the group has at least must stay: no node can be drained",
                    "Leave one pod of the minimum that may go.",
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


def _objects(overlay: Overlay) -> dict[str, int]:
    """Count, by a quota's names, what the overlay makes, what the operator makes of it, and the Secrets beside it."""
    made = Counter(manifest.kind for manifest in overlay.objects if manifest.name)
    # A head's service each; a RayService has two clusters in an upgrade, and two services of its own.
    services = sum(4 if cluster.manifest.kind == "RayService" else 1 for cluster in ray_clusters(overlay))
    short = {
        "services": made["Service"] + services, "secrets": len(SECRETS), "configmaps": made["ConfigMap"],
        "persistentvolumeclaims": made["PersistentVolumeClaim"],
    }  # fmt: skip
    long = {f"count/{name}": made[kind] for kind, name in COUNTED.items()}
    return {**short, **{f"count/{name}": number for name, number in short.items()}, **long}


def _quota_objects(overlay: Overlay) -> Iterator[Found]:
    own = _objects(overlay)
    for quota in overlay.of("ResourceQuota"):
        for name, hard in (quota.spec.get("hard") or {}).items():
            if (quantity(hard) or 0) < own.get(name, 0):
                yield Found(
                    quota, join("spec.hard", name), f"{hard} is less than {own[name]}, which the overlay itself has",
                    "Raise it, or leave it out.",
                )  # fmt: skip


def _first(overlay: Overlay) -> Iterator[Found]:
    values = {one.name: int(one.body.get("value", 0)) for one in overlay.of("PriorityClass")}
    serving = {str(pod.spec.get("priorityClassName")) for pod in _serving(overlay)}
    others = {str(pod.spec.get("priorityClassName")) for pod in pods(overlay) if pod.manifest.kind != "RayService"}
    least = min((values[name] for name in serving if name in values), default=None)
    for one in overlay.of("PriorityClass"):
        if least is not None and one.name in others and values[one.name] >= least:
            yield Found(
                one, "value", f"{values[one.name]} is not below {least} of the API: a full cluster would keep a job"
                " and refuse the API's pods", "Keep pipelines below what serves, in classes of their own.",
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
        "budget-counts", "Kubernetes, disruption budgets of pods whose owner has no scale; house",
        "A PodDisruptionBudget states minAvailable as a number, and one pod of a minimum of two or more may go.",
        _counts, (Change("PodDisruptionBudget retail-api-serve", "spec.minAvailable", 2),),
    ),
    Rule(
        "quota-holds-objects", "house", "The quota lets all objects of the overlay be made.", _quota_objects,
        (Change("ResourceQuota retail", "spec.hard.persistentvolumeclaims", "0"),),
    ),
    Rule(
        "serving-first", "house", "The PriorityClass of the API is above that of everything else.", _first,
        (Change("PriorityClass retail-batch", "value", 200000),),
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
