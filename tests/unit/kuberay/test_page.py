"""docs/kubernetes.md names what is there: objects, Secrets with their keys, namespaces, numbers of the groups."""

import re

import pytest

from cluster.manifests.rules.network import OUTSIDE
from cluster.manifests.rules.parts import workers
from cluster.manifests.rules.references import SECRETS
from ray_apps.docs import DOCS
from tests.unit.kuberay.conftest import Rendered
from tests.unit.kuberay.containerfile import PROJECT
from tests.unit.kuberay.test_overlays import overlay

PAGE = (DOCS / "kubernetes.md").read_text()
MADE_BY_KUBERAY = {"retail-api-serve-svc", "retail-dev-head-svc"}
IMAGE = "retail-platform"


def test_what_it_names_is_rendered(rendered: Rendered) -> None:
    known = {item.name for objects in rendered.values() for item in objects} | set(SECRETS) | MADE_BY_KUBERAY | {IMAGE}
    assert set(re.findall(r"(?<![\w/-])retail-[a-z-]*[a-z]", PAGE)) <= known


def test_secrets_are_all_made() -> None:
    made = set(re.findall(r"kind: Secret\nmetadata: \{name: ([\w-]+),", PAGE))
    assert made == set(SECRETS)
    assert [key for keys in SECRETS.values() for key in keys if key not in PAGE] == []


def test_namespaces_that_are_let_in_are_named() -> None:
    assert [name for name in OUTSIDE if f"`{name}`" not in PAGE] == []


def test_files_that_it_names_exist() -> None:
    files = {name for name in re.findall(r"kuberay/[\w./-]*\w", PAGE) if "OVERLAY" not in name}
    assert {"kuberay/image/Containerfile", "kuberay/components/images/kustomization.yaml"} <= files
    ours = {name for name in files if not name.startswith(("kuberay/helm", "kuberay-1"))}
    assert [name for name in ours if not (PROJECT / name).exists()] == []


@pytest.mark.parametrize("group", ["serve", "models", "etl", "spark"])
def test_the_bounds_are_those_of_the_overlays(rendered: Rendered, group: str) -> None:
    row = next(iter(re.findall(rf"`{group}`: [^·|]+", PAGE)))
    for name in ("dev", "prod"):
        found = {
            (item.body["minReplicas"], item.body["maxReplicas"], item.body["idleTimeoutSeconds"])
            for item in workers(overlay(rendered, name))
            if item.name == group
        }
        ((least, most, idle),) = found
        assert f" {least}–{most}," in row
        assert f" {idle} s" in row
