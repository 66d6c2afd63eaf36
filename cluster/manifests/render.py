"""Renders an overlay of `kuberay/` into its objects, each with the file that it comes from; judges nothing."""

import json
import os.path
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cluster.errors import ConfigurationError, DataError
from cluster.manifests.documents import read_document, read_documents
from cluster.manifests.objects import Manifest
from cluster.manifests.tools import PROJECT, find_kubectl

KUBERAY = PROJECT / "kuberay"
ORIGIN = "config.kubernetes.io/origin"
"""Annotation that kustomize adds where an overlay says `buildMetadata: [originAnnotations]`."""


def overlays(root: Path = KUBERAY) -> list[str]:
    """List the overlays.

    Args:
        root: The folder `kuberay`.

    Returns:
        Their names.

    Raises:
        ConfigurationError: There are none, as in an installation without the repository.
    """
    names = sorted(file.parent.name for file in root.glob("overlays/*/kustomization.yaml"))
    if not names:
        raise ConfigurationError(
            "There are no manifests", where=str(root / "overlays"), why="no folder there holds a kustomization.yaml",
            remedy="Run it in a checkout of the repository.",
        )  # fmt: skip
    return names


def render(overlay: str, root: Path = KUBERAY, kubectl: Path | None = None) -> list[Manifest]:
    """Render an overlay as `kubectl apply -k` would.

    Args:
        overlay: Name of a folder below `overlays`.
        root: The folder `kuberay`.
        kubectl: The program; None for the one that `find_kubectl` gives.

    Returns:
        Its objects; after a ConfigMap the RayJobs that it holds as templates, without names of their own.

    Raises:
        ConfigurationError: There is no such overlay, or no kubectl.
        DataError: kustomize refuses it.
    """
    known = overlays(root)
    if overlay not in known:
        raise ConfigurationError(
            "There is no such overlay", where=overlay, why=f"known: {', '.join(known)}", remedy="Name one of these."
        )
    text = rendered_text(overlay, root, kubectl)
    folder = root / "overlays" / overlay
    made: list[Manifest] = []
    for body in read_documents(text):
        manifest = _with_origin(body, folder, root)
        made += [manifest, *_templates(manifest)]
    return made


def rendered_text(overlay: str, root: Path = KUBERAY, kubectl: Path | None = None) -> str:
    """Give what kustomize makes of an overlay.

    Args:
        overlay: Name of a folder below `overlays`.
        root: The folder `kuberay`.
        kubectl: The program; None for the one that `find_kubectl` gives.

    Returns:
        YAML documents.

    Raises:
        DataError: kustomize refuses it.
    """
    folder = root / "overlays" / overlay
    command = [str(kubectl or find_kubectl()), "kustomize", str(folder)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise DataError(
            "The overlay cannot be rendered", where=os.path.relpath(folder, root.parent),
            why=answer.stderr.strip().removeprefix("error: "), remedy="Correct the file that kustomize names.",
        )  # fmt: skip
    return answer.stdout


def _with_origin(body: dict[str, Any], folder: Path, root: Path) -> Manifest:
    """Take kustomize's annotation off the object and read the file from it."""
    annotations = body.get("metadata", {}).get("annotations") or {}
    origin = read_document(annotations.pop(ORIGIN, "{}"))
    if not annotations:
        body.get("metadata", {}).pop("annotations", None)
    file = origin.get("path") or origin.get("configuredIn") or ""
    return Manifest(body, os.path.relpath(folder / file, root) if file else "")


def _templates(manifest: Manifest) -> Iterator[Manifest]:
    data = manifest.body.get("data") or {} if manifest.kind == "ConfigMap" else {}
    for name, text in data.items():
        if name.endswith(".json"):
            body = _json(text)
            if isinstance(body, dict) and body.get("kind") == "RayJob":
                yield Manifest(body, manifest.file)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
