"""Reads and judges the values for the Helm chart of KubeRay's operator, which has no schema; knows no manifest."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cluster.manifests.documents import read_document
from cluster.manifests.objects import Finding
from cluster.manifests.render import KUBERAY

RULE = "operator-values"
CHART = "Values operator"
KEYS = frozenset({
    "nameOverride", "fullnameOverride", "componentOverride", "replicas", "image", "imagePullSecrets", "nodeSelector",
    "priorityClassName", "labels", "annotations", "affinity", "tolerations", "serviceAccount", "logging",
    "batchScheduler", "configuration", "featureGates", "metrics", "operatorCommand", "useKubernetesProxy",
    "leaderElectionEnabled", "reconcileConcurrency", "kubeClient", "rbacEnable", "crNamespacedRbacEnable",
    "singleNamespaceInstall", "watchNamespace", "env", "resources", "livenessProbe", "readinessProbe",
    "podSecurityContext", "securityContext", "service",
})  # fmt: skip
"""Of the chart 1.7.0; an unknown one passes it silently."""
GATES = frozenset({
    "RayClusterStatusConditions", "RayJobDeletionPolicy", "RayMultiHostIndexing", "RayServiceIncrementalUpgrade",
    "RayCronJob", "RayClusterNetworkPolicy", "RayClusterMTLS", "RayClusterHistoryServer",
    "GCSFaultToleranceEmbeddedStorage", "SidecarSubmitterRestart", "KubernetesWAS",
})  # fmt: skip
"""Of KubeRay 1.7.0."""
LISTS = ("featureGates", "env")
"""A second file replaces them whole."""
TEST_DIGEST = f"sha256:{'0' * 64}"
"""Stands for a digest that only somebody with a registry can name."""


def files(root: Path = KUBERAY) -> dict[str, dict[str, Any]]:
    """Read the values files, `values.yaml` first, by their path below `kuberay/`."""
    found = sorted(root.glob("operator/values*.yaml"), key=lambda file: (file.name != "values.yaml", file.name))
    return {str(file.relative_to(root)): read_document(file.read_text()) or {} for file in found}


def gates(root: Path = KUBERAY) -> frozenset[str]:
    """Give the feature gates that the values switch on."""
    listed = [gate for values in files(root).values() for gate in values.get("featureGates") or ()]
    return frozenset(str(gate["name"]) for gate in listed if gate.get("enabled"))


def check(root: Path = KUBERAY, *, test_images: bool = False) -> list[Finding]:
    """List what is wrong with the values.

    Args:
        root: The folder `kuberay`.
        test_images: Whether the digest that is marked as a test value is allowed.

    Returns:
        The findings.
    """
    return [finding for file, values in files(root).items() for finding in _judged(file, values, test_images)]


def _judged(file: str, values: dict[str, Any], test_images: bool) -> Iterator[Finding]:
    for name in sorted(values.keys() - KEYS):
        yield _finding(file, name, "the chart has no such value and would pass over it", "Correct its name.")
    for position, gate in enumerate(values.get("featureGates") or ()):
        if gate.get("name") not in GATES:
            yield _finding(file, f"featureGates.{position}.name", f"{gate.get('name')} is no gate of it", "Correct it.")
    for name in LISTS if not file.endswith("/values.yaml") else ():
        if name in values:
            yield _finding(file, name, "Helm replaces the list of values.yaml by it, whole", "Write it there.")
    image = values.get("image") or {}
    if file.endswith("/values.yaml") or image:
        yield from _image(file, str(image.get("tag", "")), test_images)


def _image(file: str, tag: str, test_images: bool) -> Iterator[Finding]:
    if "@sha256:" not in tag:
        yield _finding(file, "image.tag", "a tag can come to mean another image", "Write TAG@sha256:DIGEST.")
    elif tag.endswith(TEST_DIGEST) and not test_images:
        yield _finding(file, "image.tag", "64 zeros are a test value", "Write the digest (docs/kubernetes.md).")


def _finding(file: str, field: str, reason: str, remedy: str) -> Finding:
    return Finding(RULE, file, CHART, field, reason, remedy)
