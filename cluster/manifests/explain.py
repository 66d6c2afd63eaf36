"""Says what an overlay will be on a cluster: its pods, what they ask for, Spark's place, who reaches what."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from cluster.manifests import capacity
from cluster.manifests.capacity import Amounts, PodSet
from cluster.manifests.objects import Overlay
from cluster.manifests.reach import Reach, reaches
from cluster.settings import Settings
from cluster.spark_session import missing_jars

SETTINGS = "retail-settings"
"""The ConfigMap whose values every pod gets as variables."""
GPU = "nvidia.com/gpu"
CONFIGURABLE = ("lake_uri", "home", "join", "spark_min_executors", "spark_initial_executors", "spark_max_executors",
                "spark_executor_cores", "spark_executor_memory_mb", "spark_executor_resource")  # fmt: skip


@dataclass(frozen=True)
class Room:
    """A resource that a quota bounds.

    Attributes:
        resource: The quota's name of it.
        needed: What an upgrade needs while everything is at its maximum.
        granted: What the quota grants.
        quota: Its name.
    """

    resource: str
    needed: Decimal
    granted: Decimal
    quota: str


@dataclass(frozen=True)
class Spark:
    """What Spark can do in an overlay.

    Attributes:
        works: Whether a run can use it.
        why: What it has, or why it cannot.
        groups: Its worker groups with their maximum.
    """

    works: bool
    why: str
    groups: Mapping[str, int]


@dataclass(frozen=True)
class Explanation:
    """What an overlay will be.

    Attributes:
        overlay: Its name.
        pods: Every group of pods.
        least: What all ask for at their minimum.
        most: At their maximum.
        upgrade: At their maximum, with the second cluster of each RayService.
        quotas: What is bounded.
        spark: Spark's place.
        network: Who reaches what.
    """

    overlay: str
    pods: tuple[PodSet, ...]
    least: Amounts
    most: Amounts
    upgrade: Amounts
    quotas: tuple[Room, ...]
    spark: Spark
    network: tuple[Reach, ...]


def explain(overlay: Overlay) -> Explanation:
    """Work out what an overlay will be on a cluster.

    Args:
        overlay: Rendered.

    Returns:
        The explanation.
    """
    pods, upgrade = capacity.pod_sets(overlay), capacity.for_upgrade(overlay)
    quotas = [
        Room(name, upgrade.get(name, Decimal(0)), hard, quota.name)
        for name, (quota, hard) in capacity.granted(overlay).items()
        if name == "pods" or name.startswith(("requests.", "limits."))
    ]
    return Explanation(
        overlay.name,
        tuple(pods),
        capacity.total(pods, most=False),
        capacity.total(pods, most=True),
        upgrade,
        tuple(quotas),
        spark_in(overlay),
        tuple(reaches(overlay)),
    )


def spark_in(overlay: Overlay) -> Spark:
    """Say what Spark can do in an overlay: whether its groups are there, and whether it can read the lake.

    Args:
        overlay: Rendered.

    Returns:
        The verdict. The jars are looked for in this environment, which is made from the lock file as the image is.
    """
    settings = _settings(overlay)
    groups = _groups(overlay, str(settings["spark_executor_resource"]))
    lake = str(settings["lake_uri"] or Path(str(settings["home"])) / "lake")
    if not groups:
        return Spark(False, "no worker group has the resource that its executors ask for", groups)
    if missing := missing_jars(lake):
        taken = "RETAIL_JOIN=local: every join runs on the local engine"
        other = f"RETAIL_JOIN={settings['join']}: what chooses Spark ends with an error"
        why = f"the lake is {lake}, and {missing}; {taken if settings['join'] == 'local' else other}"
        return Spark(False, why, groups)
    if settings["join"] == "local":
        return Spark(False, "RETAIL_JOIN=local: every join runs on the local engine", groups)
    bounds = [settings[f"spark_{name}_executors"] for name in ("min", "initial", "max")]
    size = f"{settings['spark_executor_cores']} cores and {settings['spark_executor_memory_mb']} MB of heap"
    why = f"{bounds[0]} executors at least, {bounds[1]} at first, {bounds[2]} at most, each with {size}"
    return Spark(True, f"{why}; the lake is {lake}", groups)


def as_dict(explanation: Explanation) -> dict[str, Any]:
    """Give an explanation for JSON: CPUs and GPUs as text of a number, bytes whole."""
    return {
        "overlay": explanation.overlay,
        "pods": [
            {
                "object": str(part.owner), "group": part.group, "min": part.least, "max": part.most,
                "each": _plain(part.each), "at_min": _plain(part.times(part.least)),
                "at_max": _plain(part.times(part.most)),
            }
            for part in explanation.pods
        ],
        "at_min": _plain(explanation.least),
        "at_max": _plain(explanation.most),
        "upgrade": _plain(explanation.upgrade),
        "quotas": [
            {"resource": room.resource, "quota": room.quota, "needed": _number(room.needed),
             "granted": _number(room.granted), "holds": room.needed <= room.granted}
            for room in explanation.quotas
        ],
        "spark": {"works": explanation.spark.works, "why": explanation.spark.why,
                  "groups": dict(explanation.spark.groups)},
        "network": [
            {"from": reach.sources, "to": reach.targets, "ports": reach.ports or "every", "policies": reach.policies}
            for reach in explanation.network
        ],
    }  # fmt: skip


def _settings(overlay: Overlay) -> dict[str, Any]:
    """Read what the pods' settings are: the ConfigMap's, else the defaults."""
    data: Mapping[str, str] = {}
    for config in overlay.of("ConfigMap"):
        if config.name == SETTINGS:
            data = config.body.get("data") or {}
    fields = Settings.model_fields
    return {name: data.get(f"RETAIL_{name.upper()}", fields[name].default) for name in CONFIGURABLE}


def _groups(overlay: Overlay, resource: str) -> dict[str, int]:
    """Find the groups that have what an executor asks for; without a resource of its own, any may hold it."""
    return {
        f"{part.owner} {part.group}": part.most
        for part in capacity.pod_sets(overlay)
        if resource and resource in part.ray
    }


def _plain(amounts: Mapping[str, Decimal]) -> dict[str, int | str]:
    return {name: _number(value) for name, value in amounts.items()}


def _number(value: Decimal) -> int | str:
    """Write a whole number as one, another exactly."""
    return int(value) if value == value.to_integral_value() else f"{value.normalize():f}"
