"""Whether a policy lets a pod pass, as Kubernetes reads it."""

from typing import Any

import pytest

from cluster.manifests.objects import Manifest, Overlay, Versions
from cluster.manifests.rules.passage import EVERY, Peer, Port, beyond, lets

POD = {"app": "a"}
OTHER = {"app": "b"}
MONITORING = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}


def overlay(*specs: dict[str, Any]) -> Overlay:
    policies = [
        Manifest({"kind": "NetworkPolicy", "metadata": {"name": str(n)}, "spec": s}) for n, s in enumerate(specs)
    ]
    return Overlay("dev", policies, Versions("2.60.0", "3.11", "3.5.7", "1.6.5"))


def policy(rule: dict[str, Any] | None = None, direction: str = "ingress", **selector: str) -> dict[str, Any]:
    rules = {} if rule is None else {direction: [rule]}
    return {"podSelector": {"matchLabels": selector}, "policyTypes": [direction.capitalize()], **rules}


DENY = policy()


def test_a_pod_that_no_policy_selects_is_open_and_a_selected_one_is_shut() -> None:
    assert lets(overlay(), POD, "ingress", "anywhere", ("TCP", 8265))
    assert lets(overlay(policy(app="b")), POD, "ingress", "anywhere", ("TCP", 8265))
    assert lets(overlay(policy(direction="egress")), POD, "ingress", "anywhere", ("TCP", 8265))
    assert not lets(overlay(DENY), POD, "ingress", "anywhere", ("TCP", 8265))


@pytest.mark.parametrize(
    ("rule", "peer", "port", "passes"),
    [
        ({}, "anywhere", ("TCP", 1), True),
        ({"from": [{"podSelector": {"matchLabels": OTHER}}]}, OTHER, EVERY, True),
        ({"from": [{"podSelector": {"matchLabels": OTHER}}]}, POD, EVERY, False),
        ({"from": [{"podSelector": {}}]}, POD, ("TCP", 80), True),
        ({"from": [{"podSelector": {}}]}, "monitoring", ("TCP", 80), False),
        ({"from": [MONITORING]}, "monitoring", ("TCP", 80), True),
        ({"from": [MONITORING]}, "kube-system", ("TCP", 80), False),
        ({"from": [MONITORING]}, POD, ("TCP", 80), False),
        ({"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}, None, ("TCP", 80), True),
        ({"from": [{"podSelector": {}}]}, None, ("TCP", 80), False),
        ({"ports": [{"port": 80}]}, POD, ("TCP", 80), True),
        ({"ports": [{"port": 80}]}, POD, ("TCP", 81), False),
        ({"ports": [{"port": 80}]}, POD, EVERY, False),
        ({"ports": [{"port": 80, "endPort": 90}]}, POD, ("TCP", 85), True),
        ({"ports": [{"protocol": "UDP", "port": 80}]}, POD, ("TCP", 80), False),
        ({"ports": [{"protocol": "TCP", "port": 53}]}, POD, ("UDP", 53), False),
        ({"ports": [{"protocol": "UDP", "port": 53}]}, POD, ("UDP", 53), True),
        ({"ports": [{"protocol": "TCP"}]}, POD, ("TCP", 53), True),
        ({"ports": [{"port": "metrics"}]}, POD, ("TCP", 8080), False),
        ({"from": [{**MONITORING, "podSelector": {"matchLabels": {"app.kubernetes.io/name": "prometheus"}}}]},
         "monitoring", ("TCP", 80), True),
        ({"from": [{**MONITORING, "podSelector": {"matchLabels": {"app.kubernetes.io/name": "prom"}}}]},
         "monitoring", ("TCP", 80), False),
    ],
)  # fmt: skip
def test_rules(rule: dict[str, Any], peer: Peer, port: Port, passes: bool) -> None:
    assert lets(overlay(DENY, policy(rule, app="a")), POD, "ingress", peer, port) is passes


@pytest.mark.parametrize(
    ("entries", "needed", "port"),
    [
        (None, {EVERY}, None),
        (None, {("TCP", 80)}, EVERY),
        ([{"port": 80}], {("TCP", 80)}, None),
        ([{"port": 80, "endPort": 82}], {("TCP", 80), ("TCP", 82)}, ("TCP", 81)),
        ([{"port": 80, "protocol": "UDP"}], {("TCP", 80)}, ("UDP", 80)),
        ([{"port": "http"}], {("TCP", 80)}, ("TCP", 0)),
        ([{"port": 80}, {"port": 22}], {("TCP", 80)}, ("TCP", 22)),
    ],
)
def test_what_is_not_needed_is_found(
    entries: list[dict[str, Any]] | None, needed: set[Port], port: Port | None
) -> None:
    assert beyond(entries, needed) == port
