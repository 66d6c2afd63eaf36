"""Judges objects by the schemas of their kinds: Kubernetes' own and KubeRay's; knows no rule beyond them."""

from collections.abc import Iterable
from typing import Any

from cluster.manifests import core_kinds, structural
from cluster.manifests.crds import Crds
from cluster.manifests.objects import Body, Finding, Manifest
from cluster.manifests.violation import Violation

RULE = "schema"


def check(objects: Iterable[Manifest], crds: Crds) -> list[Finding]:
    """List what the schemas refuse.

    Args:
        objects: Rendered.
        crds: KubeRay's schemas.

    Returns:
        A finding per violation; an unknown kind is one.
    """
    return [
        Finding(RULE, manifest.file, str(manifest), found.field, found.reason, found.remedy)
        for manifest in objects
        for found in violations(manifest.body, crds)
    ]


def violations(body: Body, crds: Crds, old: Body | None = None) -> list[Violation]:
    """List what the API server would refuse of an object, its defaults filled in.

    Args:
        body: The object.
        crds: KubeRay's schemas.
        old: The object from before, where this is an update of it.

    Returns:
        The violations, none where the object is right.
    """
    api_version, kind = str(body.get("apiVersion", "")), str(body.get("kind", ""))
    schema = crds.schema(api_version, kind)
    if schema is not None:
        before = None if old is None else structural.filled(old, schema)
        found = structural.judged(structural.filled(body, schema), schema, before)
        return found + core_kinds.metadata_judged(body.get("metadata", {}))
    core = core_kinds.judged(body)
    if core is None:
        known = ", ".join(crds.versions(kind)) or "neither Kubernetes nor KubeRay has it"
        return [Violation("kind", f"there is no kind {kind!r} in {api_version!r} ({known})", "Correct or remove it.")]
    return core


def with_defaults(body: Body, crds: Crds) -> dict[str, Any]:
    """Copy an object of KubeRay's kinds with its schema's defaults filled in, as the API server stores it.

    Args:
        body: The object.
        crds: KubeRay's schemas.

    Returns:
        The copy; an object of another kind comes back as it is.
    """
    schema = crds.schema(str(body.get("apiVersion", "")), str(body.get("kind", "")))
    return dict(body) if schema is None else structural.filled(body, schema)
