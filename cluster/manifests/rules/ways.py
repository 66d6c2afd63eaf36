"""Rules about ways that must be open: what stops working when a policy is missing; knows no way that must be shut."""

from collections.abc import Iterator, Mapping

from cluster.manifests.objects import Body, Overlay
from cluster.manifests.rules.network import DNS, EDGE, MONITORING, NAMESPACE_NAME, OPERATOR, OUTSIDE, ways
from cluster.manifests.rules.parts import SUBMITTER_PATH, Pod, at, pods, selects
from cluster.manifests.rules.rights import needs
from cluster.manifests.rules.rule import ABSENT, Change, Found, Rule

Labels = Mapping[str, str]
Peer = Labels | str | None
"""A pod by its labels, another namespace by its name, or an address outside (None)."""
DASHBOARD, SERVE, METRICS, DNS_PORT, POSTGRES, REDIS = 8265, 8000, 8080, 53, 5432, 6379
HTTPS = 443
SAME = {6443: HTTPS}
"""Ports that stand for another: some clusters' API server."""
CLIENT = 10001
PORTS = (0, DASHBOARD, SERVE, METRICS, DNS_PORT, POSTGRES, REDIS, HTTPS, CLIENT, *SAME)
STRANGER = "another-namespace"
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
    return not taken or any(_passes(rule, direction, peer, port) for rule in rules)


def _passes(rule: Body, direction: str, peer: Peer, port: int) -> bool:
    return _has_port(rule.get("ports"), port) and _is_peer(rule.get("from" if direction == "ingress" else "to"), peer)


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
    protocol = "UDP" if port == DNS_PORT else "TCP"
    fitting = [entry for entry in entries if entry.get("protocol", "TCP") == protocol]
    numbers = [(entry.get("port"), entry.get("endPort", entry.get("port"))) for entry in fitting]
    return port != ANY_PORT and any(isinstance(low, int) and low <= port <= int(high) for low, high in numbers)


def _needed(pod: Pod, heads: list[Pod], neighbours: list[Pod]) -> Iterator[tuple[str, Labels, str, Peer, int]]:
    """Give what a pod must be let do: what for, its labels, direction, peer, port."""
    labels = pod.labels()
    yield "the name server", labels, "egress", DNS, DNS_PORT
    if _takes_warehouse(pod):
        yield "the warehouse", labels, "egress", None, POSTGRES
    if needs(pod):
        yield "the API server", labels, "egress", None, HTTPS
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
        yield "the name server", {**labels, **CLEANUP}, "egress", DNS, DNS_PORT


def _takes_warehouse(pod: Pod) -> bool:
    sources = (source for container in pod.containers() for source in container.body.get("envFrom") or ())
    return any(at(source, "secretRef.name") == WAREHOUSE_SECRET for source in sources)


Need = tuple[Pod, str, Labels, str, Peer, int]


def _needs(overlay: Overlay) -> Iterator[Need]:
    """Give what every pod must be let do."""
    every = list(pods(overlay))
    has_bucket = any("://" in str(at(one.body, "data.RETAIL_LAKE_URI")) for one in overlay.of("ConfigMap"))
    for pod in every:
        same = [other for other in every if other.manifest is pod.manifest and other.group]
        heads = [other for other in same if other.group and other.group.is_head]
        for need in _needed(pod, heads, same):
            yield (pod, *need)
        if has_bucket and pod.group and pod.manifest.kind != "RayService":
            yield pod, "the lake's bucket", pod.labels(), "egress", None, HTTPS


def _missing(overlay: Overlay) -> Iterator[Found]:
    for pod, what, labels, direction, peer, port in _needs(overlay):
        if not lets(overlay, labels, direction, peer, port):
            verb = "be reached by" if direction == "ingress" else "reach"
            yield pod.found(
                "metadata.labels", f"No NetworkPolicy lets it {verb} {what} ({port or 'every port'})",
                "Add the policy, or the label that an existing one selects.",
            )  # fmt: skip


def _unneeded(overlay: Overlay) -> Iterator[Found]:
    keys = set(_keys([policy.spec for policy in overlay.of("NetworkPolicy")]))
    needed: set[tuple[object, ...]] = set()
    kinds: dict[object, Peer] = {}
    for _, _, labels, direction, peer, port in _needs(overlay):
        kind = _kind(labels, keys)
        if not CLEANUP.items() <= labels.items():  # It has a head's labels, and so its ways.
            kinds[kind] = labels
        needed.add((kind, direction, _kind(peer, keys) if isinstance(peer, Mapping) else peer, port))
    peers: dict[object, Peer] = {**kinds, **{name: name for name in (*OUTSIDE, STRANGER)}, None: None}
    for policy in overlay.of("NetworkPolicy"):
        selector = policy.spec.get("podSelector")
        taken = [kind for kind, labels in kinds.items() if isinstance(labels, Mapping) and selects(selector, labels)]
        for path, rule, named in ways(policy):
            direction = path.split(".")[1]
            # Where no peer is named, a way out leads to addresses outside; pods have their own word about who comes in.
            others: dict[object, Peer] = {None: None} if direction == "egress" and not named else peers
            open_ways = [
                (kind, direction, key, port)
                for kind in taken for key, peer in others.items() for port in PORTS
                if _passes(rule, direction, peer, port)
            ]  # fmt: skip
            bad = [way for way in open_ways if not {way, (*way[:3], ANY_PORT), (*way[:3], SAME.get(way[3]))} & needed]
            if bad:
                yield Found(
                    policy, path, f"It opens a way that nothing needs: {_worded(bad[0])}",
                    "Name the pods, the peers and the ports that need it (cluster/manifests/rules/ways.py lists them).",
                )  # fmt: skip


def _keys(body: object) -> Iterator[str]:
    """Give the labels that selectors ask for."""
    if isinstance(body, Mapping):
        yield from body.get("matchLabels") or ()
        yield from (item["key"] for item in body.get("matchExpressions") or ())
    for value in body.values() if isinstance(body, Mapping) else body if isinstance(body, list) else ():
        yield from _keys(value)


def _kind(labels: Labels, keys: set[str]) -> tuple[object, ...]:
    """Give what tells pods apart for the policies."""
    return tuple(sorted((key, value) for key, value in labels.items() if key in keys))


def _worded(way: tuple[object, ...]) -> str:
    kind, direction, peer, port = way
    sides = [_side(kind), _side(peer)]
    if direction == "ingress":
        sides.reverse()
    return f"from {sides[0]} to {sides[1]}, {f'port {port}' if port else 'every port'}"


def _side(peer: object) -> str:
    if isinstance(peer, tuple):
        return "pods with " + (", ".join(f"{key}={value}" for key, value in peer) or "no label")
    return "any address" if peer is None else f"the namespace {peer}"


EXAMPLE = {
    "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
    "metadata": {"name": "example", "namespace": "retail"},
    "spec": {
        "podSelector": {"matchLabels": {"ray.io/node-type": "head"}}, "policyTypes": ["Ingress"],
        "ingress": [{
            "from": [{"namespaceSelector": {"matchLabels": {NAMESPACE_NAME: MONITORING}}}],
            "ports": [{"protocol": "TCP", "port": DASHBOARD}],
        }],
    },
}  # fmt: skip
RULES = (
    Rule(
        "needed-ways", "house; Ray 2.60.0, KubeRay 1.7.0",
        "The policies let pass: names, nodes of one Ray cluster, operator to heads, submitter to head, edge to Serve,"
        " Prometheus to metrics, head and launcher to the API server, and pods to what they use.", _missing,
        (Change("NetworkPolicy retail-to-redis", "", ABSENT),), found_at=("RayService retail-api", "metadata.labels"),
    ),
    Rule(
        "no-other-ways", "house; CVE-2023-48022", "The policies let nothing else pass.", _unneeded,
        (Change("NetworkPolicy example", "", EXAMPLE),),
    ),
)  # fmt: skip
