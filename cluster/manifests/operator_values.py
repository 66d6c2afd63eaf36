"""Reads and judges the values for the Helm chart of KubeRay's operator, which has no schema; knows no manifest."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cluster.manifests.documents import read_document
from cluster.manifests.objects import Finding
from cluster.manifests.render import KUBERAY
from cluster.manifests.rules.fields import unlisted

RULE = "operator-values"
CHART = "Values operator"
PROBE = ("initialDelaySeconds", "periodSeconds", "failureThreshold")
NESTED = {
    "image": ("repository", "tag", "pullPolicy"),
    "serviceAccount": ("create", "name"),
    "logging": ("stdoutEncoder", "fileEncoder", "baseDir", "fileName", "sizeLimit"),
    "batchScheduler": ("enabled", "name"),
    "metrics": ("enabled", *(f"serviceMonitor.{name}" for name in (
        "enabled", "interval", "honorLabels", "additionalLabels", "namespace"))),
    "kubeClient": ("qps", "burst"),
    "resources": tuple(f"{kind}.{name}" for kind in ("requests", "limits") for name in (
        "cpu", "memory", "ephemeral-storage")),
    "livenessProbe": PROBE, "readinessProbe": PROBE, "service": ("type", "port"),
    "featureGates.*": ("name", "enabled"), "env.*": ("name", "value"),
    "affinity": ("nodeAffinity", "podAffinity", "podAntiAffinity"),
    "podSecurityContext": ("runAsNonRoot", "runAsUser", "runAsGroup", "fsGroup", "seccompProfile.type"),
    "securityContext": (
        "allowPrivilegeEscalation", "readOnlyRootFilesystem", "capabilities.drop", "runAsNonRoot", "runAsUser",
        "runAsGroup", "seccompProfile.type"),
}  # fmt: skip
KEYS = frozenset({
    "nameOverride", "fullnameOverride", "componentOverride", "replicas", "imagePullSecrets", "nodeSelector",
    "priorityClassName", "labels", "annotations", "tolerations", "configuration", "operatorCommand",
    "useKubernetesProxy", "leaderElectionEnabled", "reconcileConcurrency", "rbacEnable", "crNamespacedRbacEnable",
    "singleNamespaceInstall", "watchNamespace",
    *(f"{key}.{name}" for key, names in NESTED.items() for name in names),
})  # fmt: skip
"""Of the chart 1.7.0, `*` for a position: an unknown one passes it silently; each allows what is below it."""
VARIABLES = frozenset({
    "ENABLE_INIT_CONTAINER_INJECTION", "ENABLE_RAY_HEAD_CLUSTER_IP_SERVICE", "CLUSTER_DOMAIN",
    "USE_INGRESS_ON_OPENSHIFT", "RAYCLUSTER_DEFAULT_REQUEUE_SECONDS_ENV", "ENABLE_GCS_FT_REDIS_CLEANUP",
    "ENABLE_ZERO_DOWNTIME", "ENABLE_PROBES_INJECTION", "DELETE_RAYJOB_CR_AFTER_JOB_FINISHES",
    "ENABLE_DETERMINISTIC_HEAD_POD_NAME", "ENABLE_LOGIN_SHELL", "ENABLE_RANDOM_POD_DELETE",
    "RAYJOB_DEPLOYMENT_STATUS_TRANSITION_GRACE_PERIOD_SECONDS", "RAYJOB_STATUS_CHECK_TIMEOUT_SECONDS",
})  # fmt: skip
"""That the operator reads."""
REPOSITORY, TAG = "quay.io/kuberay/operator", re.compile(r"v1\.7\.0@sha256:[0-9a-f]{64}")
"""Of the version whose CRDs the manifests are judged by."""
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
    found = [finding for file, values in files(root).items() for finding in _judged(file, values, test_images)]
    return found + list(_watched(root))


def _watched(root: Path) -> Iterator[Finding]:
    """Compare the namespaces that the operator watches with those of the overlays."""
    kustomizations = [*root.glob("base/kustomization.yaml"), *root.glob("overlays/*/kustomization.yaml")]
    wanted = {str((read_document(file.read_text()) or {}).get("namespace", "")) for file in kustomizations} - {""}
    for file, values in files(root).items():
        watched = values.get("watchNamespace", [] if _is_first(file) else sorted(wanted))
        missing = wanted - set(watched if isinstance(watched, list) else [])
        if missing:
            yield _finding(
                file, "watchNamespace", f"{watched!r} lacks {', '.join(sorted(missing))}: the operator would not see"
                " the overlays' objects, or watch every namespace", "List the overlays' namespace.",
            )  # fmt: skip


def _is_first(file: str) -> bool:
    return file.endswith("/values.yaml")


def _judged(file: str, values: dict[str, Any], test_images: bool) -> Iterator[Finding]:
    for path in sorted(unlisted(values, KEYS)):
        yield _finding(file, path, "the chart has no such value and would pass over it", "Correct its name.")
    for position, gate in enumerate(values.get("featureGates") or ()):
        if gate.get("name") not in GATES:
            yield _finding(file, f"featureGates.{position}.name", f"{gate.get('name')} is no gate of it", "Correct it.")
    for position, variable in enumerate(values.get("env") or ()):
        if variable.get("name") not in VARIABLES:
            reason = f"the operator reads no variable {variable.get('name')}"
            yield _finding(file, f"env.{position}.name", reason, "Correct its name.")
        if not isinstance(variable.get("value", ""), str):
            yield _finding(file, f"env.{position}.value", "Kubernetes takes text only", "Write it in quotes.")
    for name in LISTS if not _is_first(file) else ():
        if name in values:
            yield _finding(file, name, "Helm replaces the list of values.yaml by it, whole", "Write it there.")
    image = values.get("image") or {}
    if _is_first(file) or "tag" in image:
        yield from _image(file, str(image.get("tag", "")), test_images)
    if image.get("repository", REPOSITORY) != REPOSITORY:
        yield _finding(file, "image.repository", f"{image['repository']} is not {REPOSITORY}", "Leave it out.")


def _image(file: str, tag: str, test_images: bool) -> Iterator[Finding]:
    if not TAG.fullmatch(tag):
        reason = f"{tag!r}: a tag can come to mean another image, another version has other CRDs"
        yield _finding(file, "image.tag", reason, "Write v1.7.0@sha256:DIGEST.")
    elif tag.endswith(TEST_DIGEST) and not test_images:
        yield _finding(file, "image.tag", "64 zeros are a test value", "Write the digest (docs/kubernetes.md).")


def _finding(file: str, field: str, reason: str, remedy: str) -> Finding:
    return Finding(RULE, file, CHART, field, reason, remedy)
