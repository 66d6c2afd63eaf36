"""Judges overlays by everything that can be known without a cluster: schemas, rules, Ray's own readers."""

from pathlib import Path

from cluster.manifests import operator_values, readers, schema, versions
from cluster.manifests.crds import Crds
from cluster.manifests.objects import Finding, Overlay
from cluster.manifests.render import KUBERAY, render
from cluster.manifests.rules import RULES


def load_overlay(name: str, root: Path = KUBERAY, *, test_images: bool = False, kubectl: Path | None = None) -> Overlay:
    """Render an overlay and read what it is judged by.

    Args:
        name: Folder below `overlays`.
        root: The folder `kuberay`.
        test_images: Whether digests that are marked as test values are allowed.
        kubectl: The program; None for the one that is found.

    Returns:
        The overlay.
    """
    objects = render(name, root, kubectl)
    return Overlay(name, objects, versions.locked(root.parent), operator_values.gates(root), test_images)


def validate(overlay: Overlay, crds: Crds) -> list[Finding]:
    """List what is wrong with an overlay.

    Rules and readers look at objects of the right form, so what breaks a schema is told first and alone.

    Args:
        overlay: From `load_overlay`.
        crds: KubeRay's schemas.

    Returns:
        The findings, in the order of schemas or else rules and readers.
    """
    found = schema.check(overlay.objects, crds)
    if found:
        return found
    found = [finding for rule in RULES for finding in rule.findings(overlay)]
    return found + readers.check(overlay, crds)
