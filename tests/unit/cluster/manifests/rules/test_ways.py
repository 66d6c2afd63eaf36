"""Whether a policy lets a pod pass, as Kubernetes reads it."""

from typing import Any

import pytest

from cluster.manifests.objects import Manifest, Overlay, Versions
from cluster.manifests.rules.ways import ANY_PORT, Peer, lets

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
    assert lets(overlay(), POD, "ingress", "anywhere", 8265)
    assert lets(overlay(policy(app="b")), POD, "ingress", "anywhere", 8265)
    assert lets(overlay(policy(direction="egress")), POD, "ingress", "anywhere", 8265)
    assert not lets(overlay(DENY), POD, "ingress", "anywhere", 8265)


@pytest.mark.parametrize(
    ("rule", "peer", "port", "passes"),
    [
        ({}, "anywhere", 1, True),
        ({"from": [{"podSelector": {"matchLabels": OTHER}}]}, OTHER, ANY_PORT, True),
        ({"from": [{"podSelector": {"matchLabels": OTHER}}]}, POD, ANY_PORT, False),
        ({"from": [{"podSelector": {}}]}, POD, 80, True),
        ({"from": [{"podSelector": {}}]}, "monitoring", 80, False),
        ({"from": [MONITORING]}, "monitoring", 80, True),
        ({"from": [MONITORING]}, "kube-system", 80, False),
        ({"from": [MONITORING]}, POD, 80, False),
        ({"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}, None, 80, True),
        ({"from": [{"podSelector": {}}]}, None, 80, False),
        ({"ports": [{"port": 80}]}, POD, 80, True),
        ({"ports": [{"port": 80}]}, POD, 81, False),
        ({"ports": [{"port": 80}]}, POD, ANY_PORT, False),
        ({"ports": [{"port": 80, "endPort": 90}]}, POD, 85, True),
        ({"ports": [{"protocol": "UDP", "port": 80}]}, POD, 80, False),
        ({"ports": [{"protocol": "TCP", "port": 53}]}, POD, 53, False),
        ({"ports": [{"protocol": "UDP", "port": 53}]}, POD, 53, True),
    ],
)
def test_rules(rule: dict[str, Any], peer: Peer, port: int, passes: bool) -> None:
    assert lets(overlay(DENY, policy(rule, app="a")), POD, "ingress", peer, port) is passes
