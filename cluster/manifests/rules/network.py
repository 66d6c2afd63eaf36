"""Rules about who reaches what: policies, services and their selectors; knows nothing of what runs in a pod."""

from collections.abc import Iterator, Mapping
from typing import Any

from cluster.manifests.objects import Body, Manifest, Overlay
from cluster.manifests.rules.parts import at, pods, selects
from cluster.manifests.rules.rule import Change, Found, Rule

OPEN_TYPES = {"LoadBalancer", "NodePort"}
OPENS = ("externalIPs", "loadBalancerIP", "healthCheckNodePort")
SERVE_PORTS = (8000, "serve")
"""Number and name of a serve service's port."""
NAMESPACE_NAME = "kubernetes.io/metadata.name"
OPERATOR, EDGE, MONITORING, DNS = "kuberay-operator", "ingress-nginx", "monitoring", "kube-system"
NAME = "app.kubernetes.io/name"
OUTSIDE_PODS: Mapping[str, Mapping[str, str]] = {
    OPERATOR: {NAME: "kuberay-operator", "app.kubernetes.io/component": "kuberay-operator"},
    EDGE: {NAME: "ingress-nginx", "app.kubernetes.io/component": "controller"},
    MONITORING: {NAME: "prometheus"},
    DNS: {"k8s-app": "kube-dns"},
}
"""Labels that their pods have, as their own charts and clusters write them."""
OUTSIDE = tuple(OUTSIDE_PODS)
"""Namespaces that the policies may name; docs/kubernetes.md lists them."""


def ways(policy: Manifest) -> Iterator[tuple[str, Body, list[Body]]]:
    """Give the rules of a NetworkPolicy.

    Args:
        policy: The policy.

    Returns:
        Path of each rule, the rule, its peers; no peer means everyone.
    """
    for direction, key in (("ingress", "from"), ("egress", "to")):
        for position, rule in enumerate(policy.spec.get(direction) or ()):
            yield f"spec.{direction}.{position}", rule, list(rule.get(key) or ())


def _default_deny(overlay: Overlay) -> Iterator[Found]:
    for namespace in overlay.of("Namespace"):
        for direction in ("Ingress", "Egress"):
            closed = [
                policy
                for policy in overlay.of("NetworkPolicy")
                if policy.spec.get("podSelector") == {}
                and direction in (policy.spec.get("policyTypes") or ())
                and not policy.spec.get(direction.lower())
            ]
            if not closed:
                yield Found(
                    namespace, "metadata.name", f"No NetworkPolicy of it denies {direction.lower()} for all pods:"
                    " what no policy selects is open", "Render the policy with an empty podSelector and no rule.",
                )  # fmt: skip


def _selectors(manifest: Manifest) -> Iterator[tuple[str, Body]]:
    if manifest.kind == "NetworkPolicy":
        yield "spec.podSelector", manifest.spec.get("podSelector") or {}
    elif manifest.kind == "PodDisruptionBudget":
        yield "spec.selector", manifest.spec.get("selector") or {}
    elif manifest.kind == "Service" and manifest.spec.get("selector"):
        yield "spec.selector", {"matchLabels": manifest.spec["selector"]}


def _match(overlay: Overlay) -> Iterator[Found]:
    labels = [pod.labels() for pod in pods(overlay)]
    for manifest in overlay.objects:
        for path, selector in _selectors(manifest):
            if not any(selects(selector, item) for item in labels):
                yield Found(manifest, path, "It takes no pod of this overlay", "Write labels that its pods have.")


def _peers(overlay: Overlay) -> Iterator[Found]:
    labels = [pod.labels() for pod in pods(overlay)]
    for policy in overlay.of("NetworkPolicy"):
        for path, rule, peers in ways(policy):
            for position, peer in enumerate(peers):
                field = f"{path}.{'from' if 'from' in rule else 'to'}.{position}"
                if "namespaceSelector" in peer:
                    name = (peer["namespaceSelector"].get("matchLabels") or {}).get(NAMESPACE_NAME)
                    if name not in OUTSIDE:
                        yield Found(
                            policy, field, f"{name} is none of the namespaces that the docs name",
                            f"Name one of {', '.join(OUTSIDE)} by its label {NAMESPACE_NAME}.",
                        )  # fmt: skip
                elif "podSelector" in peer and not any(selects(peer["podSelector"], item) for item in labels):
                    yield Found(policy, field, "It is no pod of this overlay", "Write labels that its pods have.")


def _load_balancers(overlay: Overlay) -> Iterator[Found]:
    for service in overlay.of("Service"):
        for field in OPENS:
            if service.spec.get(field):
                yield Found(
                    service, f"spec.{field}", "It opens the Service beyond the cluster", "Leave it out.",
                )  # fmt: skip
        if service.spec.get("type") in OPEN_TYPES:
            yield Found(
                service, "spec.type", f"{service.spec['type']} opens it beyond the cluster",
                "Take ClusterIP; the edge is the only way in.",
            )  # fmt: skip


def _backends(ingress: Manifest) -> Iterator[tuple[str, Body]]:
    if ingress.spec.get("defaultBackend"):
        yield "spec.defaultBackend", ingress.spec["defaultBackend"]
    for number, rule in enumerate(ingress.spec.get("rules") or ()):
        for position, path in enumerate(at(rule, "http.paths") or ()):
            yield f"spec.rules.{number}.http.paths.{position}.backend", path.get("backend") or {}


def _ingress(overlay: Overlay) -> Iterator[Found]:
    made = {f"{service.name}-serve-svc" for service in overlay.of("RayService")}
    for ingress in overlay.of("Ingress"):
        for path, backend in _backends(ingress):
            name, port = at(backend, "service.name"), at(backend, "service.port") or {}
            if name not in made or port.get("number", port.get("name")) not in SERVE_PORTS:
                yield Found(
                    ingress, path, f"{name} at {port.get('number', port.get('name'))} is no serve service of the"
                    " overlay at its port: the dashboard and the job API run any code",
                    f"Point it at {', '.join(sorted(made)) or 'the serve service of a RayService'}, port 8000.",
                )  # fmt: skip


def _autoscalers(overlay: Overlay) -> Iterator[Found]:
    deployments = {manifest.name for manifest in overlay.of("Deployment")}
    for autoscaler in overlay.of("HorizontalPodAutoscaler"):
        target: Any = autoscaler.spec.get("scaleTargetRef") or {}
        if target.get("kind") != "Deployment" or target.get("name") not in deployments:
            yield Found(
                autoscaler, "spec.scaleTargetRef", "Ray's kinds have no scale sub-resource, and an HPA deletes pods"
                " without draining them", "Leave Ray's pods to Ray's autoscaler.",
            )  # fmt: skip


STRANGER = {
    "podSelector": {"matchLabels": {"ray.io/node-type": "head"}},
    "policyTypes": ["Ingress"],
    "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "nobody"}}}], "ports": [{"port": 8080}]}],
}


def _new(kind: str, version: str, spec: Mapping[str, Any]) -> tuple[Change]:
    body = {"apiVersion": version, "kind": kind, "metadata": {"name": "example", "namespace": "retail"}, "spec": spec}
    return (Change(f"{kind} example", "", body),)


NETWORKING = "networking.k8s.io/v1"
RULES = (
    Rule(
        "default-deny", "house", "What no policy allows is denied, in and out.", _default_deny,
        (Change("NetworkPolicy retail-default-deny", "spec.policyTypes", ["Ingress"]),),
        found_at=("Namespace retail", "metadata.name"),
    ),
    Rule(
        "selectors-match", "house",
        "What a NetworkPolicy, a PodDisruptionBudget or a Service selects exists in the overlay.", _match,
        _new("PodDisruptionBudget", "policy/v1", {
            "minAvailable": 1, "selector": {"matchLabels": {"ray.io/group": "server"}}}),
    ),
    Rule(
        "peers-exist", "house",
        "A peer of a NetworkPolicy is a pod of the overlay, or a namespace that the docs name.", _peers,
        _new("NetworkPolicy", NETWORKING, STRANGER),
    ),
    Rule(
        "no-load-balancer", "house; CVE-2023-48022", "No Service opens a port beyond the cluster.", _load_balancers,
        _new("Service", "v1", {
            "type": "LoadBalancer", "selector": {"ray.io/node-type": "head"}, "ports": [{"port": 8265}]}),
    ),
    Rule(
        "no-ingress-to-ray", "house; CVE-2023-48022", "An Ingress leads to a serve service and to nothing else of Ray.",
        _ingress,
        _new("Ingress", NETWORKING, {
            "defaultBackend": {"service": {"name": "retail-dev-head-svc", "port": {"number": 8265}}}}),
    ),
    Rule(
        "no-hpa", "house; KubeRay 1.7.0, the CRDs", "No HorizontalPodAutoscaler aims at Ray's pods.", _autoscalers,
        _new("HorizontalPodAutoscaler", "autoscaling/v2", {
            "scaleTargetRef": {"apiVersion": "ray.io/v1", "kind": "RayService", "name": "retail-api"},
            "minReplicas": 2, "maxReplicas": 20}),
    ),
)  # fmt: skip
