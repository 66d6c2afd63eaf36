"""Rules about versions and feature gates: manifests, lock file and operator say the same; knows no other field."""

from collections.abc import Iterator

from cluster.manifests.objects import Manifest, Overlay
from cluster.manifests.rules.parts import at, ray_clusters
from cluster.manifests.rules.rule import OPERATOR, Change, Found, Rule

ON = frozenset(
    {"RayClusterStatusConditions", "RayJobDeletionPolicy", "RayMultiHostIndexing", "RayServiceIncrementalUpgrade"}
)
"""Gates that KubeRay 1.7.0 has on by itself."""
VALUES = Manifest({"kind": "Values", "metadata": {"name": "operator"}}, "operator/values.yaml")
"""What a finding about the operator's values names."""


def _ray_version(overlay: Overlay) -> Iterator[Found]:
    for cluster in ray_clusters(overlay):
        version = cluster.body.get("rayVersion")
        if version != overlay.versions.ray:
            yield cluster.found(
                "rayVersion", f"{version} is not {overlay.versions.ray}, which the lock file and so the image holds",
                f'Set it to "{overlay.versions.ray}".',
            )  # fmt: skip


def needed_gates(overlay: Overlay) -> dict[str, tuple[Manifest, str]]:
    """Give the feature gates that an overlay's objects need.

    Args:
        overlay: Its objects.

    Returns:
        By the name of the gate, an object that needs it and the field.
    """
    needed: dict[str, tuple[Manifest, str]] = {}
    for manifest in overlay.of("RayCronJob"):
        needed["RayCronJob"] = (manifest, "kind")
    for manifest in overlay.of("RayJob"):
        if manifest.spec.get("deletionStrategy"):
            needed["RayJobDeletionPolicy"] = (manifest, "spec.deletionStrategy")
    for cluster in ray_clusters(overlay):
        for field, gate in (
            ("networkPolicy", "RayClusterNetworkPolicy"),
            ("tlsOptions", "RayClusterMTLS"),
            ("historyServerOptions", "RayClusterHistoryServer"),
        ):
            if field in cluster.body:
                needed[gate] = (cluster.manifest, f"{cluster.path}.{field}")
        if at(cluster.body, "gcsFaultToleranceOptions.backend") == "rocksdb":
            field = f"{cluster.path}.gcsFaultToleranceOptions.backend"
            needed["GCSFaultToleranceEmbeddedStorage"] = (cluster.manifest, field)
    return needed


def _gates(overlay: Overlay) -> Iterator[Found]:
    needed = needed_gates(overlay)
    for gate, (manifest, field) in needed.items():
        if gate not in overlay.gates | ON:
            yield Found(
                manifest, field, f"The operator refuses it: its feature gate {gate} is off",
                "Leave the field out, or switch the gate on in operator/values.yaml.",
            )  # fmt: skip
    for gate in sorted(overlay.gates - ON - set(needed)):
        yield Found(
            VALUES, "featureGates", f"{gate} is on and no manifest needs it: an alpha feature for nothing",
            "Take it out of operator/values.yaml.",
        )  # fmt: skip


RULES = (
    Rule(
        "ray-version", "KubeRay 1.7.0, validation.go; house", "rayVersion is the lock file's and so the image's.",
        _ray_version, (Change("RayService retail-api", "spec.rayClusterConfig.rayVersion", "2.51.0"),),
    ),
    Rule(
        "feature-gates", "KubeRay 1.7.0, features.go",
        "The operator's values switch on just the feature gates that manifests need beside the default ones.", _gates,
        (Change(OPERATOR, "featureGates", ["RayCronJob"]),),
    ),
)  # fmt: skip
