"""KubeRay's schemas are those of the pinned version, or nothing."""

import re
import shutil
from pathlib import Path

import pytest

from cluster.errors import ConfigurationError
from cluster.manifests import crds
from cluster.manifests.crds import DEFAULT, FILES, VERSION, Crds


def test_each_kind_has_the_version_that_manifests_use(schemas: Crds) -> None:
    for kind in ("RayCluster", "RayJob", "RayService"):
        assert "ray.io/v1" in schemas.versions(kind)
    assert schemas.schema("ray.io/v1", "Pod") is None
    assert schemas.schema("ray.io/v9", "RayJob") is None


def test_the_pinned_checksums_are_those_of_the_page(schemas: Crds) -> None:
    page = schemas.folder / "README.md"
    if not page.exists():
        pytest.skip("the schemas come from another folder here")
    listed = dict(re.findall(r"\| (ray\.io_\w+\.yaml) \| [\d,]+ \| ([0-9a-f]{64}) \|", page.read_text()))
    assert listed == dict(FILES.values())
    assert f"v{VERSION}" in page.read_text()


def test_a_file_that_differs_by_a_byte_is_refused(tmp_path: Path, schemas: Crds) -> None:
    for name, _ in FILES.values():
        shutil.copy(schemas.folder / name, tmp_path)
    assert crds.load(tmp_path).folder == tmp_path
    changed = tmp_path / FILES["RayJob"][0]
    changed.write_bytes(changed.read_bytes() + b"\n")
    with pytest.raises(ConfigurationError, match="sha256 differs") as refused:
        crds.load(tmp_path)
    assert refused.value.where == str(changed)


def test_a_missing_folder_is_named_with_where_the_files_are_to_be_had(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"ray-operator/config/crd/bases at tag v1\.7\.0") as refused:
        crds.load(tmp_path / "none")
    assert "RETAIL_KUBERAY_CRDS" in refused.value.remedy
    assert DEFAULT.parts[-3:] == ("shared", "kuberay", "crds")
