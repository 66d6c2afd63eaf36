"""Overlays come out as kustomize makes them, each object with its file; what is missing or wrong is named."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from cluster.errors import ConfigurationError, DataError
from cluster.manifests import tools
from cluster.manifests.documents import read_document, read_documents, write_document
from cluster.manifests.objects import Overlay
from cluster.manifests.render import KUBERAY, ORIGIN, overlays, render
from cluster.manifests.tools import PROJECT, find_kubectl, kustomize_version
from tests.unit.cluster.manifests.conftest import or_skip

KUSTOMIZATION = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [{}]\n"


def test_every_overlay_is_listed() -> None:
    assert overlays() == sorted(folder.name for folder in (KUBERAY / "overlays").iterdir())


def test_each_object_names_the_file_that_it_comes_from(overlays: Mapping[str, Overlay]) -> None:
    for overlay in overlays.values():
        for manifest in overlay.objects:
            text = (KUBERAY / manifest.file).read_text()
            assert manifest.kind == "RayJob" or f"kind: {manifest.kind}" in text, manifest
            assert ORIGIN not in manifest.body["metadata"].get("annotations", {})


def test_the_templates_of_a_config_map_are_rayjobs_without_a_name(dev: Overlay) -> None:
    templates = [manifest for manifest in dev.of("RayJob") if not manifest.name]
    assert {manifest.file for manifest in templates} == {"base/schedule/templates.yaml"}
    config = next(manifest for manifest in dev.of("ConfigMap") if manifest.name == "retail-job-templates")
    assert len(templates) == len(config.body["data"]) > 0
    assert all(manifest.spec["entrypoint"].startswith("python -m ray_apps.") for manifest in templates)


def test_an_unknown_overlay_is_refused_with_those_that_are_there() -> None:
    with pytest.raises(ConfigurationError, match="dev, prod"):
        render("staging")


def test_a_folder_without_overlays_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="There are no manifests"):
        render("dev", tmp_path)


def test_what_kustomize_refuses_is_told_in_its_words(tmp_path: Path) -> None:
    kubectl = or_skip(find_kubectl)
    (tmp_path / "overlays/dev").mkdir(parents=True)
    (tmp_path / "overlays/dev/kustomization.yaml").write_text(KUSTOMIZATION.format("missing.yaml"))
    with pytest.raises(DataError, match=r"missing\.yaml") as refused:
        render("dev", tmp_path, kubectl)
    assert refused.value.where.endswith("overlays/dev")


def test_text_that_looks_like_a_date_stays_text() -> None:
    assert read_document("a: 2026-08-19\nb: yes\nc: 08") == {"a": "2026-08-19", "b": True, "c": "08"}
    assert read_documents("---\n---\na: 1\n") == [{"a": 1}]
    with pytest.raises(ValueError, match="expected"):
        read_document("a: [")


def test_what_is_written_reads_the_same() -> None:
    shared = {"text": "two\nlines\n", "number": "1", "flag": "yes", "date": "2026-08-19", "size": 1}
    text = write_document({"b": shared, "a": shared})
    assert read_document(text) == {"b": shared, "a": shared}
    assert text.index("b:") < text.index("a:")
    assert "|" in text and "&" not in text


@pytest.fixture
def path_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with nothing but what a test puts there, and no fetched kubectl."""
    monkeypatch.setattr(tools, "FOLDER", tmp_path / "nothing")
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def put_kubectl(folder: Path, version: str) -> Path:
    program = folder / "kubectl"
    program.write_text(f'#!/bin/sh\necho \'{{"kustomizeVersion": "{version}"}}\'\n')
    program.chmod(0o755)
    return program


def test_without_a_kubectl_the_script_that_fetches_it_is_named(path_with: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cluster/kube_tools\.sh"):
        find_kubectl()


def test_an_old_kustomize_is_refused_and_a_new_one_taken(path_with: Path) -> None:
    program = put_kubectl(path_with, "v5.7.1")
    with pytest.raises(ConfigurationError, match=r"5\.7"):
        find_kubectl()
    put_kubectl(path_with, "v5.8.1")
    assert find_kubectl() == program
    assert kustomize_version(Path("/bin/false")) == ()


@pytest.mark.parametrize(
    ("arguments", "ci", "code"), [([], "", 1), (["--if-possible"], "", 0), (["--if-possible"], "1", 1)]
)
def test_the_script_names_what_is_missing(tmp_path: Path, arguments: list[str], ci: str, code: int) -> None:
    (tmp_path / "cluster").mkdir()
    (tmp_path / "bin").mkdir()
    script = Path(shutil.copy(PROJECT / "cluster/kube_tools.sh", tmp_path / "cluster"))
    for program in ("bash", "cat", "dirname", "sed"):
        (tmp_path / "bin" / program).symlink_to(shutil.which(program) or "")
    environment = {"PATH": str(tmp_path / "bin"), "CI": ci}
    answer = subprocess.run([script, *arguments], env=environment, capture_output=True, text=True)
    assert (answer.returncode, "Install npm, or a kubectl" in answer.stderr) == (code, True)


def test_a_fetched_kubectl_is_not_fetched_again() -> None:
    fetched = tools.FOLDER / "kubectl"
    if not fetched.exists():
        pytest.skip("kubectl comes from the PATH here")
    before = fetched.stat().st_mtime_ns
    assert subprocess.run([PROJECT / "cluster/kube_tools.sh"], env={**os.environ, "CI": "1"}).returncode == 0
    assert fetched.stat().st_mtime_ns == before
    assert kustomize_version(fetched) >= tools.LEAST_KUSTOMIZE
