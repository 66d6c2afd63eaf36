"""The schemas of KubeRay's kinds, of the pinned version; they are no part of the project, it knows their checksums."""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from cluster.errors import ConfigurationError
from cluster.manifests.documents import read_document
from cluster.manifests.tools import PROJECT

VERSION = "1.7.0"
"""Of KubeRay: the operator, its chart and its CRDs."""
FILES = {
    "RayCluster": ("ray.io_rayclusters.yaml", "c44704442eef0c6721ad40c1d66782c8bd3fdab9d3344306a5820910a679baa1"),
    "RayCronJob": ("ray.io_raycronjobs.yaml", "31c2c753bba01f7e8e89cb8e8c504131b58ee42090ca536d87f5ac27605a568e"),
    "RayJob": ("ray.io_rayjobs.yaml", "01a5cf3b17c1769fda44af7e82debcd98722f0c27b9ab84d084681c6649121f5"),
    "RayService": ("ray.io_rayservices.yaml", "0a8fc325e6e22b9231c1f282b309555e2ecf94227ca20a03df3d1d9a403907ab"),
}
"""By kind, the file and its sha256 in the tag."""
DEFAULT = PROJECT.parent / "shared/kuberay/crds"
GROUP = "ray.io"
Schema = Mapping[str, Any]


class Crds:
    """The schemas; a file is read when its kind is asked for the first time (half a second each)."""

    def __init__(self, folder: Path) -> None:
        """Keep the folder, whose files `load` has checked."""
        self.folder = folder

    def versions(self, kind: str) -> Mapping[str, Schema]:
        """Give the schemas of a kind by served apiVersion; empty where KubeRay has no such kind."""
        return _served(self.folder / FILES[kind][0]) if kind in FILES else {}

    def schema(self, api_version: str, kind: str) -> Schema | None:
        """Give the schema of a kind; None where it has none of that apiVersion."""
        return self.versions(kind).get(api_version)


@cache
def _served(file: Path) -> Mapping[str, Schema]:
    """Read a file once in a process: its checksum says that it is always the same."""
    versions = read_document(file.read_bytes())["spec"]["versions"]
    return {
        f"{GROUP}/{version['name']}": version["schema"]["openAPIV3Schema"] for version in versions if version["served"]
    }


def load(folder: Path | None = None) -> Crds:
    """Take the schemas from a folder.

    Args:
        folder: With the four files of the tag; None for `../shared/kuberay/crds` beside the project.

    Returns:
        The schemas.

    Raises:
        ConfigurationError: A file is missing or is not that of the pinned version.
    """
    folder = folder or DEFAULT
    for name, checksum in FILES.values():
        file = folder / name
        if not file.is_file():
            raise _unusable(file, "there is no such file")
        if hashlib.sha256(file.read_bytes()).hexdigest() != checksum:
            raise _unusable(file, f"it is not the file of KubeRay {VERSION} (its sha256 differs)")
    return Crds(folder)


def _unusable(file: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        "The schemas of KubeRay's kinds are needed to check the manifests", where=str(file), why=why,
        remedy=f"Take the four files of ray-operator/config/crd/bases at tag v{VERSION} of ray-project/kuberay, and"
        " name their folder with --crds or RETAIL_KUBERAY_CRDS.",
    )  # fmt: skip
