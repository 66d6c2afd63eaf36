"""A Kubernetes object as it was rendered, the set of them that an overlay makes, and what is found wrong with it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Body = Mapping[str, Any]
RAY_CLUSTERS = {"RayCluster": "spec", "RayService": "spec.rayClusterConfig", "RayJob": "spec.rayClusterSpec"}
"""Where each kind of KubeRay holds its Ray cluster."""


@dataclass(frozen=True)
class Manifest:
    """One object of a rendered overlay.

    Attributes:
        body: The object as the API server would get it.
        file: The file that it comes from, relative to `kuberay/`.
    """

    body: Body
    file: str = ""

    @property
    def kind(self) -> str:
        """Its kind."""
        return str(self.body.get("kind", ""))

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.body.get("metadata", {}).get("name", ""))

    @property
    def spec(self) -> Body:
        """Its specification, empty where it has none."""
        spec: Body = self.body.get("spec") or {}
        return spec

    @property
    def ray_cluster(self) -> Body:
        """The specification of its Ray cluster, empty where it has none."""
        body: Body = self.body if self.kind in RAY_CLUSTERS else {}
        for step in RAY_CLUSTERS.get(self.kind, "").split("."):
            body = body.get(step) or {}
        return body

    def __str__(self) -> str:
        """Name it for people: `RayService retail-api`, `RayJob (template)`."""
        return f"{self.kind} {self.name or '(template)'}"


@dataclass(frozen=True)
class Finding:
    """What is wrong with one field of one object.

    Attributes:
        rule: Id of the rule that refuses it; `schema` where the object's own schema does.
        file: The file that the object comes from, relative to `kuberay/`.
        object: Kind and name.
        field: Path of the field, dotted: `spec.workerGroupSpecs.0.maxReplicas`.
        reason: Why it is refused.
        remedy: What to do.
    """

    rule: str
    file: str
    object: str
    field: str
    reason: str
    remedy: str


@dataclass(frozen=True)
class Versions:
    """What `requirements.lock` and the image hold.

    Attributes:
        ray: Version of Ray.
        python: Major and minor version of Python.
        pyspark: Version of pyspark.
        raydp: Version of RayDP.
    """

    ray: str
    python: str
    pyspark: str
    raydp: str


@dataclass(frozen=True)
class Overlay:
    """A rendered overlay and what it is judged by.

    Attributes:
        name: Folder below `kuberay/overlays`.
        objects: In the order in which they were rendered.
        versions: Of the lock file.
        gates: Feature gates that the operator's values switch on beside its defaults.
        test_images: Whether digests that are marked as test values are allowed.
    """

    name: str
    objects: Sequence[Manifest]
    versions: Versions
    gates: frozenset[str] = field(default_factory=frozenset)
    test_images: bool = False

    def of(self, *kinds: str) -> Iterator[Manifest]:
        """Give the objects of these kinds."""
        return (manifest for manifest in self.objects if manifest.kind in kinds)
