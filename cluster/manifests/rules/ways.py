"""Rules about ways that must be open: what stops working when a policy is missing; knows no way that must be shut."""

from collections.abc import Iterator, Mapping

from cluster.manifests.objects import Body, Overlay
from cluster.manifests.rules.network import DNS, EDGE, MONITORING, NAMESPACE_NAME, OPERATOR
from cluster.manifests.rules.parts import SUBMITTER_PATH, Pod, at, pods, selects
from cluster.manifests.rules.rights import needs
from cluster.manifests.rules.rule import ABSENT, Change, Found, Rule

Labels = Mapping[str, str]
Peer = Labels | str | None
"""A pod by its labels, another namespace by its name, or an address outside (None)."""
DASHBOARD, SERVE, METRICS, DNS_PORT, POSTGRES, REDIS = 8265, 8000, 8080, 53, 5432, 6379
API_SERVER = 443
ANY_PORT = 0
"""Stands for every port: Ray picks those of its workers."""
WAREHOUSE_SECRET = "retail-secrets"
CLEANUP = {"ray.io/node-type": "redis-cleanup"}
"""Label of the pod that takes a deleted cluster's state out of Redis: a head's template in a Job of KubeRay's."""


def lets(overlay: Overlay, labels: Labels, direction: str, peer: Peer, port: int) -> bool:
    """Say whether the policies let a pod be reached (`ingress`) or reach (`egress`).

    Args:
        overlay: With its NetworkPolicies.
        labels: Of the pod.
        direction: `ingress` or `egress`.
        peer: The other side.
        port: Of the side that is reached; `ANY_PORT` for all.

    Returns:
        Whether one of them does; a pod that no policy selects in this direction is open.
    """
    taken = [
        policy.spec
        for policy in overlay.of("NetworkPolicy")
        if direction.capitalize() in (policy.spec.get("policyTypes") or ())
        and selects(policy.spec.get("podSelector"), labels)
    ]
    rules = [rule for spec in taken for rule in spec.get(direction) or ()]
    key = "from" if direction == "ingress" else "to"
    return not taken or any(_is_peer(rule.get(key), peer) and _has_port(rule.get("ports"), port) for rule in rules)


def _is_peer(entries: list[Body] | None, peer: Peer) -> bool:
    if not entries:
        return True
    if peer is None:
        return any("ipBlock" in entry for entry in entries)
    if isinstance(peer, str):
        spaces = [entry["namespaceSelector"] for entry in entries if "namespaceSelector" in entry]
        return any(selects(space, {NAMESPACE_NAME: peer}) for space in spaces)
    return any(selects(entry.get("podSelector"), peer) for entry in entries if "namespaceSelector" not in entry)


def _has_port(entries: list[Body] | None, port: int) -> bool:
    if not entries:
        return True
    numbers = [(entry.get("port"), entry.get("endPort", entry.get("port"))) for entry in entries]
    return port != ANY_PORT and any(isinstance(low, int) and low <= port <= int(high) for low, high in numbers)


def _needed(pod: Pod, heads: list[Pod], neighbours: list[Pod]) -> Iterator[tuple[str, Labels, str, Peer, int]]:
    """Give what a pod must be let do: what for, its labels, direction, peer, port."""
    labels = pod.labels()
    yield "names", labels, "egress", DNS, DNS_PORT
    if _takes_warehouse(pod):
        yield "the warehouse", labels, "egress", None, POSTGRES
    if needs(pod):
        yield "the API server", labels, "egress", None, API_SERVER
    if pod.path == SUBMITTER_PATH:
        for head in heads:
            yield "the head that takes the job", labels, "egress", head.labels(), DASHBOARD
            yield "its submitter", head.labels(), "ingress", labels, DASHBOARD
    if pod.group is None:
        return
    for other in neighbours:
        yield "the nodes of its Ray cluster", labels, "egress", other.labels(), ANY_PORT
        yield "the nodes of its Ray cluster", labels, "ingress", other.labels(), ANY_PORT
    yield "Prometheus", labels, "ingress", MONITORING, METRICS
    if pod.group.is_head:
        yield "the operator", labels, "ingress", OPERATOR, DASHBOARD
    elif pod.manifest.kind == "RayService":
        yield "the edge", labels, "ingress", EDGE, SERVE
    if pod.group.is_head and "gcsFaultToleranceOptions" in pod.group.cluster.body:
        yield "Redis", labels, "egress", None, REDIS
        yield "Redis, when its cluster is deleted", {**labels, **CLEANUP}, "egress", None, REDIS


def _takes_warehouse(pod: Pod) -> bool:
    sources = (source for container in pod.containers() for source in container.body.get("envFrom") or ())
    return any(at(source, "secretRef.name") == WAREHOUSE_SECRET for source in sources)


def _ways(overlay: Overlay) -> Iterator[Found]:
    every = list(pods(overlay))
    for pod in every:
        same = [other for other in every if other.manifest is pod.manifest and other.group]
        heads = [other for other in same if other.group and other.group.is_head]
        for what, labels, direction, peer, port in _needed(pod, heads, same):
            if not lets(overlay, labels, direction, peer, port):
                verb = "be reached by" if direction == "ingress" else "reach"
                yield pod.found(
                    "metadata.labels", f"No NetworkPolicy lets it {verb} {what} ({port or 'every port'})",
                    "Add the policy, or the label that an existing one selects.",
                )  # fmt: skip


RULES = (
    Rule(
        "needed-ways", "house; Ray 2.60.0, KubeRay 1.7.0",
        "The policies let pass: names, nodes of one Ray cluster, operator to heads, submitter to head, edge to Serve,"
        " Prometheus to metrics, head and launcher to the API server, and pods to what they use.", _ways,
        (Change("NetworkPolicy retail-to-redis", "", ABSENT),), found_at=("RayService retail-api", "metadata.labels"),
    ),
)  # fmt: skip
