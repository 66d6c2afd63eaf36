"""Who reaches what by the NetworkPolicies of an overlay, worked out pod by pod; knows no cluster's enforcement."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cluster.manifests.objects import Body, Manifest, Overlay
from cluster.manifests.rules.parts import Pod, pods, selects

Ports = frozenset[str] | None
"""`TCP 8265` and the like; None is every port."""
Door = tuple[str, Ports]
"""Name of a policy, and the ports that it opens."""
SIDES = {"Ingress": ("ingress", "from"), "Egress": ("egress", "to")}
NAMESPACE_NAME = "kubernetes.io/metadata.name"
EVERYONE = {"Ingress": "anyone", "Egress": "anywhere"}
OPEN: Door = ("no policy", None)


@dataclass(frozen=True)
class Reach:
    """That some pods reach others.

    Attributes:
        sources: Who: pods of the overlay, a namespace, a range of addresses, `anyone`, `anywhere`.
        targets: Whom, in the same words.
        ports: Protocol and port of each; empty for every port.
        policies: The NetworkPolicies that let them.
    """

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    ports: tuple[str, ...]
    policies: tuple[str, ...]


@dataclass(frozen=True)
class _End:
    name: str
    pod: Pod


def reaches(overlay: Overlay) -> list[Reach]:
    """List who reaches what.

    Inside the namespace a connection needs both: a policy of the source that lets it out, one of the target that lets
    it in. Pods that a launched run will have are those of its RayJob.

    Args:
        overlay: Its objects.

    Returns:
        Pods with the same rights together.
    """
    ends = [_End(_name(pod), pod) for pod in pods(overlay) if pod.manifest.name]
    policies = list(overlay.of("NetworkPolicy"))
    found = [*_inside(ends, policies), *_outside(ends, policies)]
    by_targets: dict[tuple[str, tuple[Door, ...]], list[str]] = defaultdict(list)
    for source, target, doors in found:
        by_targets[source, doors].append(target)
    by_sources: dict[tuple[tuple[str, ...], tuple[Door, ...]], list[str]] = defaultdict(list)
    for (source, doors), targets in by_targets.items():
        by_sources[tuple(dict.fromkeys(targets)), doors].append(source)
    return [_reach(sources, targets, doors) for (targets, doors), sources in by_sources.items()]


def _reach(sources: Iterable[str], targets: tuple[str, ...], doors: tuple[Door, ...]) -> Reach:
    ports = set().union(*(opened for _, opened in doors if opened is not None))
    names = dict.fromkeys(name for door, _ in doors for name in door.split(", "))
    return Reach(tuple(dict.fromkeys(sources)), targets, tuple(sorted(ports)), tuple(names))


def _name(pod: Pod) -> str:
    if pod.group:
        return f"{pod.manifest} {'head' if pod.group.is_head else pod.group.name}"
    return f"{pod.manifest} submitter" if pod.manifest.kind == "RayJob" else str(pod.manifest)


def _inside(ends: list[_End], policies: list[Manifest]) -> Iterator[tuple[str, str, tuple[Door, ...]]]:
    for source in ends:
        for target in ends:
            out = _doors(policies, source, "Egress", target)
            into = _doors(policies, target, "Ingress", source)
            doors = [_both(one, other) for one in out for other in into]
            if widest := _widest(door for door in doors if door[1] is None or door[1]):
                yield source.name, target.name, widest


def _both(one: Door, other: Door) -> Door:
    names = dict.fromkeys((one[0], other[0]))
    if one[1] is None or other[1] is None:
        return ", ".join(names), other[1] if one[1] is None else one[1]
    return ", ".join(names), one[1] & other[1]


def _widest(doors: Iterable[Door]) -> tuple[Door, ...]:
    """Leave out doors that are part of one to every port."""
    listed = tuple(dict.fromkeys(doors))
    return tuple(door for door in listed if door[1] is None) or listed


def _doors(policies: list[Manifest], end: _End, direction: str, other: _End) -> list[Door]:
    """Give what lets a connection pass one end of it; a pod that no policy selects is open."""
    mine = [policy for policy in policies if _concerns(policy, end, direction)]
    if not mine:
        return [OPEN]
    return [
        (policy.name, _ports(rule))
        for policy in mine
        for rule, peers in _rules(policy, direction)
        if not peers or any(_is_inside(peer) and selects(peer["podSelector"], other.pod.labels()) for peer in peers)
    ]


def _outside(ends: list[_End], policies: list[Manifest]) -> Iterator[tuple[str, str, tuple[Door, ...]]]:
    for end in ends:
        for direction in SIDES:
            opened: dict[str, list[Door]] = defaultdict(list)
            for policy in policies:
                if _concerns(policy, end, direction):
                    for rule, peers in _rules(policy, direction):
                        for peer in _strangers(peers, direction):
                            opened[peer].append((policy.name, _ports(rule)))
            if not any(_concerns(policy, end, direction) for policy in policies):
                opened[EVERYONE[direction]].append(OPEN)
            for peer, doors in opened.items():
                pair = (peer, end.name) if direction == "Ingress" else (end.name, peer)
                yield *pair, _widest(doors)


def _concerns(policy: Manifest, end: _End, direction: str) -> bool:
    implied = ["Ingress", *(["Egress"] if policy.spec.get("egress") else [])]
    return direction in (policy.spec.get("policyTypes") or implied) and selects(
        policy.spec.get("podSelector") or {}, end.pod.labels()
    )


def _rules(policy: Manifest, direction: str) -> Iterator[tuple[Body, list[Body]]]:
    key, peers = SIDES[direction]
    for rule in policy.spec.get(key) or ():
        yield rule, list(rule.get(peers) or ())


def _is_inside(peer: Body) -> bool:
    return "podSelector" in peer and "namespaceSelector" not in peer


def _strangers(peers: list[Body], direction: str) -> list[str]:
    """Name the peers outside the namespace; a rule without peers means everyone."""
    return [_stranger(peer) for peer in peers if not _is_inside(peer)] if peers else [EVERYONE[direction]]


def _stranger(peer: Body) -> str:
    if "ipBlock" in peer:
        block = peer["ipBlock"]
        but = ", ".join(block.get("except") or ())
        return f"addresses {block['cidr']}" + (f" but {but}" if but else "")
    labels = peer["namespaceSelector"].get("matchLabels") or {}
    named = labels.get(NAMESPACE_NAME) or _labels(peer["namespaceSelector"])
    which = _labels(peer["podSelector"]) if peer.get("podSelector") else ""
    return f"namespace {named}" + (f", pods {which}" if which else "")


def _labels(selector: Body) -> str:
    """Write a selector."""
    said = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    said += [
        f"{item['key']} {item['operator']} {' '.join(item.get('values') or ())}".strip()
        for item in selector.get("matchExpressions") or ()
    ]
    return ", ".join(said) or "of any name"


def _ports(rule: Body) -> Ports:
    if not rule.get("ports"):
        return None
    return frozenset(_port(port) for port in rule["ports"])


def _port(port: Body) -> str:
    last = f"-{port['endPort']}" if "endPort" in port else ""
    return f"{port.get('protocol', 'TCP')} {port.get('port', 'every')}{last}"
