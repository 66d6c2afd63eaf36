"""What NetworkPolicies let pass, as Kubernetes reads them; knows no pod of ours and judges nothing."""

from collections.abc import Iterator, Mapping, Sequence

from cluster.manifests.objects import Body, Overlay
from cluster.manifests.rules.network import NAMESPACE_NAME, OUTSIDE_PODS
from cluster.manifests.rules.parts import selects

Labels = Mapping[str, str]
Peer = Labels | str | None
"""A pod by its labels, another namespace by its name, or an address outside (None)."""
Port = tuple[str, int]
"""Protocol and number."""
EVERY: Port = ("", 0)
"""Stands for every port: Ray picks those of its workers."""
HIGHEST = 65535


def lets(overlay: Overlay, labels: Labels, direction: str, peer: Peer, port: Port) -> bool:
    """Say whether the policies let a pod be reached (`ingress`) or reach (`egress`).

    Args:
        overlay: With its NetworkPolicies.
        labels: Of the pod.
        direction: `ingress` or `egress`.
        peer: The other side.
        port: Of the side that is reached; `EVERY` for all.

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
    return not taken or any(
        _has_port(rule.get("ports"), port) and is_peer(rule, direction, peer, surely=True) for rule in rules
    )


def is_peer(rule: Body, direction: str, peer: Peer, *, surely: bool) -> bool:
    """Say whether a rule of a policy takes this other side.

    Args:
        rule: Of a NetworkPolicy.
        direction: `ingress` or `egress`.
        peer: The other side.
        surely: Of pods in another namespace, take only those whose labels are known; else whoever may stand there.

    Returns:
        Whether it does.
    """
    entries = rule.get("from" if direction == "ingress" else "to")
    if not entries:
        return True
    if peer is None:
        return any("ipBlock" in entry for entry in entries)
    if isinstance(peer, str):
        return any(_is_space(entry, peer, surely) for entry in entries if "namespaceSelector" in entry)
    return any(selects(entry.get("podSelector"), peer) for entry in entries if "namespaceSelector" not in entry)


def _is_space(entry: Body, name: str, surely: bool) -> bool:
    is_named = selects(entry["namespaceSelector"], {NAMESPACE_NAME: name})
    labels = OUTSIDE_PODS.get(name, {})
    return is_named and (not surely or "podSelector" not in entry or selects(entry["podSelector"], labels))


def _has_port(entries: list[Body] | None, port: Port) -> bool:
    if not entries:
        return True
    named = [entry for entry in entries if not isinstance(entry.get("port"), str)]
    return port != EVERY and any(
        protocol == port[0] and low <= port[1] <= high for protocol, low, high in ranges(named)
    )


def ranges(entries: Sequence[Body]) -> Iterator[tuple[str, int, int]]:
    """Give the ports that a rule lists, first and last of each entry; a name may stand for any port."""
    for entry in entries:
        protocol, low = str(entry.get("protocol", "TCP")), entry.get("port")
        if isinstance(low, int):
            yield protocol, low, int(entry.get("endPort", low))
        else:
            yield protocol, 0, HIGHEST


def beyond(entries: Sequence[Body] | None, needed: set[Port]) -> Port | None:
    """Give a port that a rule lets through and that is not needed.

    Args:
        entries: The rule's `ports`; none lets every port through.
        needed: The ports that are; `EVERY` among them allows all.

    Returns:
        The first of them, `EVERY` where the rule lists none; None where there is none.
    """
    if EVERY in needed:
        return None
    if not entries:
        return EVERY
    opened = ((protocol, port) for protocol, low, high in ranges(entries) for port in range(low, high + 1))
    return next((port for port in opened if port not in needed), None)
