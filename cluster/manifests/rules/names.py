"""Rules about names: what KubeRay refuses when it reconciles, and what it lets pass; knows no other field."""

import re
from collections.abc import Iterator

from cluster.manifests.objects import RAY_CLUSTERS, Overlay
from cluster.manifests.rules.parts import ray_clusters
from cluster.manifests.rules.rule import Change, Found, Rule

MOST_CHARACTERS = {"RayCluster": 53, "RayService": 47, "RayJob": 47}
MOST_OF_CRONJOB = 32
"""The RayJob is named after the CronJob's own Job: its name, a dash, ten digits and `-ray`; 47 together."""
COMPONENT, RAY = "app.kubernetes.io/component", "ray"
"""What the install tells apart by (docs/kubernetes.md)."""
CLUSTER_SCOPED = {"Namespace", "PriorityClass", "ClusterRole", "ClusterRoleBinding"}
DNS_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


def _ray_names(overlay: Overlay) -> Iterator[Found]:
    for manifest in overlay.of(*MOST_CHARACTERS):
        most, name = MOST_CHARACTERS[manifest.kind], manifest.name
        is_template = manifest.kind == "RayJob" and not name
        if not is_template and (len(name) > most or not DNS_1035.fullmatch(name)):
            yield Found(
                manifest, "metadata.name",
                f"{name!r} has {len(name)} characters; KubeRay takes {most} at most: small letters, digits and dashes,"
                " the first a letter",
                "Give it a shorter name of these.",
            )  # fmt: skip


def _cronjob_names(overlay: Overlay) -> Iterator[Found]:
    for manifest in overlay.of("CronJob"):
        if len(manifest.name) > MOST_OF_CRONJOB:
            yield Found(
                manifest, "metadata.name",
                f"The RayJob that it creates is called {manifest.name}-<digits>-ray, more than KubeRay's 47 characters",
                f"Give it a name of {MOST_OF_CRONJOB} characters at most.",
            )  # fmt: skip


def _group_names(overlay: Overlay) -> Iterator[Found]:
    for cluster in ray_clusters(overlay):
        seen = {"headgroup"}
        for group in cluster.workers():
            if group.name in seen or not DNS_1035.fullmatch(group.name):
                yield group.found(
                    "groupName",
                    f"{group.name!r} is taken already or no name of small letters, digits and dashes; the autoscaler"
                    " tells groups apart by their names, and pods are called by them",
                    "Give each group of a cluster a name of its own.",
                )
            seen.add(group.name)


def _namespaces(overlay: Overlay) -> Iterator[Found]:
    namespaces = {manifest.name for manifest in overlay.of("Namespace")}
    for manifest in overlay.objects:
        is_template = manifest.kind == "RayJob" and not manifest.name
        namespace = manifest.body.get("metadata", {}).get("namespace")
        if manifest.kind not in CLUSTER_SCOPED and not is_template and namespace not in namespaces:
            yield Found(
                manifest, "metadata.namespace",
                f"{namespace!r} is no namespace of this overlay ({', '.join(sorted(namespaces))}): its quota, policies"
                " and secrets would not reach it",
                "Let the overlay's `namespace` set it.",
            )  # fmt: skip


def _components(overlay: Overlay) -> Iterator[Found]:
    for manifest in overlay.objects:
        label = (manifest.body.get("metadata", {}).get("labels") or {}).get(COMPONENT)
        is_template = manifest.kind == "RayJob" and not manifest.name
        if not is_template and (manifest.kind in RAY_CLUSTERS) is not (label == RAY):
            yield Found(
                manifest, f"metadata.labels.[{COMPONENT}]",
                f"It is {label}: the install applies all that is not {RAY!r} first, then the migration, then the rest",
                f"Give it the value {RAY!r} on KubeRay's kinds, and on no other.",
            )  # fmt: skip


RULES = (
    Rule(
        id="ray-names", source="KubeRay 1.7.0, validation.go",
        says="A RayCluster's name has 53 characters at most, a RayService's and a RayJob's 47; it is a DNS-1035 label.",
        check=_ray_names,
        example=(
            Change("RayCluster retail-dev", "metadata.name", "2nd-retail-dev"),
        ),
    ),
    Rule(
        id="cronjob-names", source="KubeRay 1.7.0, validation.go, and ray_apps/launch.py",
        says="A CronJob's name has 32 characters at most: the RayJob that it creates is named after its Job.",
        check=_cronjob_names,
        example=(Change("CronJob retail-daily-refresh", "metadata.name", "retail-daily-refresh-of-every-table-x"),),
    ),
    Rule(
        id="group-names", source="house; KubeRay does not look",
        says="The groups of a Ray cluster have different names, and none is called `headgroup`.",
        check=_group_names,
        example=(Change("RayCluster retail-dev", "spec.workerGroupSpecs.0.groupName", "headgroup"),),
    ),
    Rule(
        id="applied-in-order", source="house; docs/kubernetes.md",
        says=f"KubeRay's kinds, and no other, have the label {COMPONENT}: {RAY}; the install applies them last.",
        check=_components,
        example=(Change("RayCluster retail-dev", f"metadata.labels.[{COMPONENT}]", "cluster"),),
    ),
    Rule(
        id="namespaces", source="house",
        says="Every object stands in a namespace that the overlay makes.",
        check=_namespaces,
        example=(Change("ServiceAccount retail-ray-worker", "metadata.namespace", "default"),),
    ),
)  # fmt: skip
