"""Rules about what pods may ask of the API server: ServiceAccounts, Roles, tokens; knows no other object."""

from collections.abc import Iterator

from cluster.manifests.objects import Body, Manifest, Overlay
from cluster.manifests.rules.parts import Pod, at, pods
from cluster.manifests.rules.rule import Change, Found, Rule

Right = tuple[str, str, str]
"""Group of the API, resource, verb."""
AUTOSCALER = frozenset({
    ("", "pods", "get"), ("", "pods", "list"), ("ray.io", "rayclusters", "get"), ("ray.io", "rayclusters", "patch"),
})  # fmt: skip
"""What the autoscaler of Ray 2.60.0 was seen to use; in-place resizing, which is off, needs more."""
LAUNCHER = frozenset({("ray.io", "rayjobs", "create")})


def rights(overlay: Overlay, account: str) -> frozenset[Right]:
    """Give what the Roles that are bound to a ServiceAccount allow.

    Args:
        overlay: With Roles and RoleBindings.
        account: Name of the ServiceAccount.

    Returns:
        Group of the API, resource and verb of each.
    """
    roles = {manifest.name: manifest for manifest in overlay.of("Role")}
    found: set[Right] = set()
    for binding in overlay.of("RoleBinding"):
        subjects = {subject["name"] for subject in binding.body.get("subjects") or () if is_ours(binding, subject)}
        role = roles.get(str(at(binding.body, "roleRef.name")))
        if account in subjects and role:
            found |= _of_role(role)
    return frozenset(found)


def is_ours(binding: Manifest, subject: Body) -> bool:
    """Say whether the subject of a RoleBinding is a ServiceAccount of the binding's own namespace."""
    namespace = at(binding.body, "metadata.namespace")
    return (subject.get("kind"), subject.get("namespace")) == ("ServiceAccount", namespace)


def _of_role(role: Manifest) -> set[Right]:
    return {
        (group, resource, verb)
        for rule in role.body.get("rules") or ()
        for group in rule.get("apiGroups") or ()
        for resource in rule.get("resources") or ()
        for verb in rule.get("verbs") or ()
    }


def needs(pod: Pod) -> frozenset[Right]:
    """Give what a pod asks of the API server: a head's autoscaler and the launcher something, all others nothing."""
    if pod.group and pod.group.is_head:
        return AUTOSCALER
    return LAUNCHER if pod.manifest.kind == "CronJob" else frozenset()


def _account(pod: Pod) -> str:
    return str(pod.spec.get("serviceAccountName") or "default")


def _least(overlay: Overlay) -> Iterator[Found]:
    for pod in pods(overlay):
        given, needed = rights(overlay, _account(pod)), needs(pod)
        for reason, difference in (("lacks", needed - given), ("need not have", given - needed)):
            if difference:
                shown = ", ".join(f"{verb} {resource}" for _, resource, verb in sorted(difference))
                yield pod.found(
                    "spec.serviceAccountName", f"{_account(pod)} {reason}: {shown}",
                    "Let the Role say just what the pod uses.",
                )  # fmt: skip


def _whole_cluster(overlay: Overlay) -> Iterator[Found]:
    for manifest in overlay.of("ClusterRole", "ClusterRoleBinding"):
        yield Found(manifest, "kind", "It gives rights in every namespace", "Take Role and RoleBinding.")
    for binding in overlay.of("RoleBinding"):
        if at(binding.body, "roleRef.kind") != "Role":
            yield Found(
                binding, "roleRef.kind", "A ClusterRole's rights are not in this folder", "Bind a Role of ours."
            )


def _tokens(overlay: Overlay) -> Iterator[Found]:
    accounts = {manifest.name: manifest.body for manifest in overlay.of("ServiceAccount")}
    for pod in pods(overlay):
        default = accounts.get(_account(pod), {}).get("automountServiceAccountToken", True)
        has_token = pod.spec.get("automountServiceAccountToken", default)
        if has_token is not bool(needs(pod)):
            yield pod.found(
                "spec.automountServiceAccountToken",
                f"It is {has_token}: " + ("whoever is in has it" if has_token else "the pod asks the API server"),
                "True for heads (autoscaler) and the launcher, false for all others.",
            )


ROLE = "Role retail-ray-head"
RULES = (
    Rule(
        "least-rights", "house; Ray 2.60.0, the autoscaler's requests",
        "A head gets and lists pods, gets and patches rayclusters; the launcher creates rayjobs; others may nothing.",
        _least,
        (Change(ROLE, "rules", [
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "delete"]},
            {"apiGroups": ["ray.io"], "resources": ["rayclusters"], "verbs": ["get", "patch"]}]),),
        found_at=("RayCluster retail-dev", "headGroupSpec.template.spec.serviceAccountName"),
    ),
    Rule(
        "rights-in-the-namespace", "house", "No right reaches beyond the namespace.", _whole_cluster,
        (Change("ClusterRole retail-everything", "", {
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": "retail-everything"},
            "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}),),
    ),
    Rule(
        "tokens", "house", "Only pods that ask the API server hold a token for it.", _tokens,
        (Change("RayCluster retail-dev", "spec.workerGroupSpecs.0.template.spec.automountServiceAccountToken", True),),
    ),
)  # fmt: skip
