"""Rules about ways that must be open: what stops working when a policy is missing; knows no way that must be shut."""

from collections.abc import Iterator, Mapping

from cluster.manifests.objects import Overlay
from cluster.manifests.rules.fault_tolerance import REDIS_PORT
from cluster.manifests.rules.network import DNS, EDGE, MONITORING, NAMESPACE_NAME, OPERATOR, OUTSIDE, ways
from cluster.manifests.rules.parts import SUBMITTER_PATH, Pod, at, pods, selects
from cluster.manifests.rules.passage import EVERY, Labels, Peer, Port, beyond, is_peer, lets
from cluster.manifests.rules.rights import needs
from cluster.manifests.rules.rule import ABSENT, Change, Found, Rule

DASHBOARD, SERVE, METRICS, POSTGRES, REDIS, HTTPS = (
    ("TCP", port) for port in (8265, 8000, 8080, 5432, REDIS_PORT, 443)
)
NAMES: tuple[Port, ...] = (("UDP", 53), ("TCP", 53))
"""An answer that is too long for UDP comes by TCP."""
ALIKE = {HTTPS: ("TCP", 6443)}
"""Ports that stand for another: some clusters' API server."""
STRANGER = "another-namespace"
WAREHOUSE_SECRET = "retail-secrets"
CLEANUP = {"ray.io/node-type": "redis-cleanup"}
"""Label of the pod that takes a deleted cluster's state out of Redis: a head's template in a Job of KubeRay's."""


def _needed(pod: Pod, heads: list[Pod], neighbours: list[Pod]) -> Iterator[tuple[str, Labels, str, Peer, Port]]:
    """Give what a pod must be let do: what for, its labels, direction, peer, port."""
    labels = pod.labels()
    yield from (("the name server", labels, "egress", DNS, port) for port in NAMES)
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
        yield "the nodes of its Ray cluster", labels, "egress", other.labels(), EVERY
        yield "the nodes of its Ray cluster", labels, "ingress", other.labels(), EVERY
    yield "Prometheus", labels, "ingress", MONITORING, METRICS
    if pod.group.is_head:
        yield "the operator", labels, "ingress", OPERATOR, DASHBOARD
    elif pod.manifest.kind == "RayService":
        yield "the edge", labels, "ingress", EDGE, SERVE
    if pod.group.is_head and "gcsFaultToleranceOptions" in pod.group.cluster.body:
        yield "Redis", labels, "egress", None, REDIS
        yield "Redis, when its cluster is deleted", {**labels, **CLEANUP}, "egress", None, REDIS
        yield from (("the name server", {**labels, **CLEANUP}, "egress", DNS, port) for port in NAMES)


def _takes_warehouse(pod: Pod) -> bool:
    sources = (source for container in pod.containers() for source in container.body.get("envFrom") or ())
    return any(at(source, "secretRef.name") == WAREHOUSE_SECRET for source in sources)


Need = tuple[Pod, str, Labels, str, Peer, Port]


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
                "metadata.labels", f"No NetworkPolicy lets it {verb} {what} ({_port(port)})",
                "Add the policy, or the label that an existing one selects.",
            )  # fmt: skip


def _unneeded(overlay: Overlay) -> Iterator[Found]:
    keys = set(_keys([policy.spec for policy in overlay.of("NetworkPolicy")]))
    needed: dict[tuple[object, ...], set[Port]] = {}
    kinds: dict[object, Peer] = {}
    for _, _, labels, direction, peer, port in _needs(overlay):
        kind = _kind(labels, keys)
        if not CLEANUP.items() <= labels.items():  # It has a head's labels, and so its ways.
            kinds[kind] = labels
        way = (kind, direction, _kind(peer, keys) if isinstance(peer, Mapping) else peer)
        needed.setdefault(way, set()).update({port, ALIKE.get(port, port)})
    peers: dict[object, Peer] = {**kinds, **{name: name for name in (*OUTSIDE, STRANGER)}, None: None}
    for policy in overlay.of("NetworkPolicy"):
        selector = policy.spec.get("podSelector")
        taken = [kind for kind, labels in kinds.items() if isinstance(labels, Mapping) and selects(selector, labels)]
        for path, rule, named in ways(policy):
            direction = path.split(".")[1]
            # Where no peer is named, a way out leads to addresses outside; pods have their own word about who comes in.
            others: dict[object, Peer] = {None: None} if direction == "egress" and not named else peers
            bad = [
                (kind, direction, key, excess)
                for kind in taken for key, peer in others.items()
                if is_peer(rule, direction, peer, surely=False)
                and (excess := beyond(rule.get("ports"), needed.get((kind, direction, key), set())))
            ]  # fmt: skip
            if bad:
                yield Found(
                    policy, path, f"It opens a way that nothing needs: {_worded(*bad[0])}",
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


def _worded(kind: object, direction: str, peer: object, port: Port) -> str:
    sides = [_side(kind), _side(peer)]
    if direction == "ingress":
        sides.reverse()
    return f"from {sides[0]} to {sides[1]}, {_port(port)}"


def _port(port: Port) -> str:
    return "every port" if port == EVERY else f"{port[0]} {port[1]}"


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
            "ports": [{"protocol": "TCP", "port": DASHBOARD[1]}],
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
        "no-other-ways", "house; CVE-2023-48022", "The policies let nothing else pass: no port, protocol or peer.",
        _unneeded, (Change("NetworkPolicy example", "", EXAMPLE),),
    ),
)  # fmt: skip
