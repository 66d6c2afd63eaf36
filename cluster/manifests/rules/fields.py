"""One rule: a field of KubeRay's kinds that nobody looked at is refused; a new one needs a line and its rules.

The lists hold what the manifests use and what another rule judges (which may be: refuse it). Nothing else passes.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from cluster.manifests.objects import Overlay
from cluster.manifests.rules.parts import at, join
from cluster.manifests.rules.rule import Change, Found, Rule

REFUSED = frozenset({
    "replicas", "scaleStrategy", "rayStartParams.num-cpus", "rayStartParams.num-gpus", "rayStartParams.memory",
    "rayStartParams.resources", "rayStartParams.redis-password", "rayStartParams.redis-username",
    "autoscalerOptions.env",
    "gcsFaultToleranceOptions.externalStorageNamespace", "securityContext.privileged",
    "spec.hostNetwork", "spec.hostPID", "spec.hostIPC", "spec.hostUsers",
})  # fmt: skip
"""Ends of paths that no manifest uses: a rule of their own refuses them, or looks at what stands there."""
CONTEXT = tuple(
    f"securityContext.{field}"
    for field in ("allowPrivilegeEscalation", "capabilities", "privileged", "readOnlyRootFilesystem")
)
AMOUNTS = ("resources.requests", "resources.limits")
CONTAINER = ("name", "image", "env", "envFrom", "ports", "volumeMounts", *AMOUNTS, *CONTEXT)
POD = (
    "metadata.labels", "metadata.annotations", "spec.serviceAccountName", "spec.automountServiceAccountToken",
    "spec.priorityClassName", "spec.terminationGracePeriodSeconds", "spec.restartPolicy", "spec.enableServiceLinks",
    "spec.topologySpreadConstraints", "spec.affinity", "spec.tolerations", "spec.volumes",
    *(f"spec.{field}" for field in ("hostNetwork", "hostPID", "hostIPC", "hostUsers")),
    *(f"spec.securityContext.{field}" for field in (
        "runAsNonRoot", "runAsUser", "runAsGroup", "fsGroup", "fsGroupChangePolicy", "seccompProfile.type")),
    *(f"spec.containers.*.{field}" for field in CONTAINER),
)  # fmt: skip
PARAMS = ("num-cpus", "num-gpus", "memory", "resources", "redis-password", "redis-username")
GROUP = ("resources", *(f"rayStartParams.{name}" for name in PARAMS), *(f"template.{field}" for field in POD))
WORKERS = ("groupName", "minReplicas", "maxReplicas", "replicas", "scaleStrategy", "idleTimeoutSeconds", *GROUP)
AUTOSCALER = (
    "version", "idleTimeoutSeconds", "upscalingMode", "env", "volumeMounts", *AMOUNTS, *CONTEXT,
)  # fmt: skip
CLUSTER = (
    "rayVersion", "enableInTreeAutoscaling", "authOptions.mode", "authOptions.secretName",
    "gcsFaultToleranceOptions.redisAddress", "gcsFaultToleranceOptions.redisPassword.valueFrom.secretKeyRef",
    "gcsFaultToleranceOptions.externalStorageNamespace",
    *(f"autoscalerOptions.{field}" for field in AUTOSCALER), *(f"headGroupSpec.{field}" for field in GROUP),
    *(f"workerGroupSpecs.*.{field}" for field in WORKERS),
)  # fmt: skip
FIELDS: Mapping[str, frozenset[str]] = {
    "RayCluster": frozenset(CLUSTER),
    "RayService": frozenset({
        "serveConfigV2", "excludeHeadPodFromServeSvc", "upgradeStrategy.type", "rayClusterDeletionDelaySeconds",
        *(f"rayClusterConfig.{field}" for field in CLUSTER),
    }),
    "RayJob": frozenset({
        "entrypoint", "shutdownAfterJobFinishes", "ttlSecondsAfterFinished", "activeDeadlineSeconds",
        "preRunningDeadlineSeconds", "backoffLimit", "suspend", "submissionMode", "submitterConfig.backoffLimit",
        *(f"submitterPodTemplate.{field}" for field in POD), *(f"rayClusterSpec.{field}" for field in CLUSTER),
    }),
}  # fmt: skip
"""By kind the paths below `spec`; `*` stands for a position, and a path allows all that is below it."""
MARKS = frozenset({"ray.io/initializing-timeout", "ray.io/ft-enabled", "ray.io/external-storage-namespace"})
"""KubeRay's own annotations that are used or that a rule judges."""
GROUP_OF_KUBERAY = "ray.io/"
NOT_USED = (
    ("Name of the head's service", "headGroupSpec.headService"),
    ("Incremental upgrades by the Gateway API", "upgradeStrategy.clusterUpgradeOptions"),
    ("Token auth by Kubernetes", "authOptions.enableK8sTokenAuth"),
    ("GCS state in RocksDB, and where", "gcsFaultToleranceOptions.backend, .storage, .redisUsername"),
    ("Priority of a group", "workerGroupSpecs.*.priority"),
    ("Labels of a group", "workerGroupSpecs.*.labels, rayStartParams.labels"),
    ("Groups of several hosts, suspended groups", "workerGroupSpecs.*.numOfHosts, .suspend"),
    ("Another cluster for a job", "clusterSelector"),
    ("Deletion rules", "deletionStrategy"),
    ("Runtime environments: all is in the image", "runtimeEnvYAML"),
    ("InteractiveMode", "jobId"),
    ("What Ray's container runs, and its probes", "template.spec.containers.*.command, .args, .livenessProbe"),
    ("KubeRay's own policies, mutual TLS, history server", "networkPolicy, tlsOptions, historyServerOptions"),
    ("Ingress to the dashboard, type of the head's service", "headGroupSpec.enableIngress, .serviceType"),
    ("RayCronJob", "the kind"),
)
"""What KubeRay has rules for and no manifest uses: this rule refuses it, so those rules are not written."""


def unlisted(body: Any, allowed: frozenset[str], path: str = "", pattern: str = "") -> Iterator[str]:
    """Give the paths that no entry allows, as high up as can be.

    Args:
        body: What is judged.
        allowed: Dotted paths, `*` for a position; each allows all that is below it.
        path: Of the body itself.
        pattern: The same with `*`.

    Yields:
        Dotted paths.
    """
    if pattern in allowed:
        return
    if pattern and not any(entry.startswith(f"{pattern}.") for entry in allowed):
        yield path
        return
    items = body.items() if isinstance(body, Mapping) else enumerate(body) if isinstance(body, list) else ()
    for key, value in items:
        step = "*" if isinstance(key, int) else str(key)
        yield from unlisted(value, allowed, join(path, key), f"{pattern}.{step}" if pattern else step)


def _fields(overlay: Overlay) -> Iterator[Found]:
    for manifest in overlay.objects:
        if not str(manifest.body.get("apiVersion", "")).startswith(GROUP_OF_KUBERAY):
            continue
        remedy = "Leave it out, or write its rules and then its line in cluster/manifests/rules/fields.py."
        if manifest.kind not in FIELDS:
            yield Found(manifest, "kind", "No rule judges this kind", remedy)
            continue
        for path in unlisted(manifest.spec, FIELDS[manifest.kind]):
            yield Found(manifest, f"spec.{path}", "No rule judges this field", remedy)
        for name in at(manifest.body, "metadata.annotations") or {}:
            if name.startswith(GROUP_OF_KUBERAY) and name not in MARKS:
                yield Found(manifest, f"metadata.annotations.[{name}]", "No rule judges this annotation", remedy)


RULES = (
    Rule(
        "known-fields", "house", "A field of KubeRay's kinds that no rule judges is refused.", _fields,
        (Change("RayCluster retail-dev", "spec.headGroupSpec.enableIngress", True),),
    ),
)  # fmt: skip
