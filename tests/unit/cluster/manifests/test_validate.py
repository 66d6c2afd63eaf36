"""What is judged together: overlays, the operator's values, versions; and what the command says and answers."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cluster.errors import ConfigurationError
from cluster.manifests import operator_values, versions
from cluster.manifests.crds import Crds
from cluster.manifests.objects import Manifest, Overlay, Versions
from cluster.manifests.render import KUBERAY
from cluster.manifests.tools import PROJECT
from cluster.manifests.validate import validate
from ray_apps.cli import app
from tests.unit.cluster.manifests.conftest import Edit

DIGEST = f"v1.7.0@sha256:{'ab' * 32}"


def test_every_overlay_is_right(overlays: Mapping[str, Overlay], schemas: Crds) -> None:
    assert sorted(overlays) == sorted(folder.name for folder in (KUBERAY / "overlays").iterdir())
    for overlay in overlays.values():
        assert validate(overlay, schemas) == []


def test_test_images_are_refused_unless_they_are_allowed(dev: Overlay, schemas: Crds) -> None:
    found = validate(replace(dev, test_images=False), schemas)
    assert {item.rule for item in found} == {"real-digests"}
    assert {item.object for item in found} > {"RayService retail-api", "Job retail-migrate"}


def test_a_broken_schema_is_told_alone(dev: Overlay, schemas: Crds, edited: Edit) -> None:
    broken = edited("RayService retail-api", "spec.rayClusterConfig.workerGroupSpecs", "none")
    objects = [Manifest(broken) if str(item) == "RayService retail-api" else item for item in dev.objects]
    found = validate(replace(dev, objects=objects), schemas)
    assert [(item.rule, item.field) for item in found] == [("schema", "spec.rayClusterConfig.workerGroupSpecs")]


def test_rules_and_readers_are_told_together(dev: Overlay, schemas: Crds, edited: Edit) -> None:
    path = "spec.serveConfigV2.applications.0.deployments.0.autoscaling_config.min_replica"
    broken = edited("RayService retail-api", path, 1)
    broken["metadata"]["name"] = "Retail"
    objects = [Manifest(broken) if str(item) == "RayService retail-api" else item for item in dev.objects]
    rules = {item.rule for item in validate(replace(dev, objects=objects), schemas)}
    assert {"ray-reads"} < rules
    assert any(item.object == "RayService Retail" for item in validate(replace(dev, objects=objects), schemas))


def test_the_lock_file_says_which_versions() -> None:
    installed = [version(package) for package in ("ray", "pyspark", "raydp")]
    locked = versions.locked()
    assert [locked.ray, locked.pyspark, locked.raydp] == installed
    assert locked == Versions(locked.ray, "{}.{}".format(*sys.version_info), locked.pyspark, locked.raydp)


def test_a_lock_file_without_a_package_is_named(tmp_path: Path) -> None:
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    (tmp_path / "requirements.lock").write_text("ray==2.60.0\n")
    with pytest.raises(ConfigurationError, match="pyspark"):
        versions.locked(tmp_path)


def test_the_values_of_the_operator_are_right() -> None:
    assert operator_values.check(test_images=True) == []
    assert [item.field for item in operator_values.check()] == ["image.tag"]
    assert operator_values.gates() == frozenset()


@pytest.mark.parametrize(
    ("file", "text", "field"),
    [
        ("values.yaml", "replica: 2", "replica"),
        ("values.yaml", "featureGates: [{name: RayCronJobs, enabled: true}]", "featureGates.0.name"),
        ("values-more.yaml", "featureGates: []", "featureGates"),
        ("values-more.yaml", "env: []", "env"),
        ("values-more.yaml", "image: {tag: v1.7.0}", "image.tag"),
        ("values-more.yaml", f"image: {{tag: '{DIGEST.replace('v1.7.0', 'v1.6.2')}'}}", "image.tag"),
        ("values-more.yaml", "image: {repository: registry.example/operator}", "image.repository"),
        ("values.yaml", "resources: {limit: {cpu: 200m}}", "resources.limit"),
        ("values.yaml", "metrics: {serviceMonitor: {enable: true}}", "metrics.serviceMonitor.enable"),
        ("values.yaml", "env: [{name: RAYJOB_STATUS_TIMEOUT, value: '900'}]", "env.0.name"),
        ("values.yaml", "env: [{name: ENABLE_ZERO_DOWNTIME, value: true}]", "env.0.value"),
        ("values-more.yaml", "watchNamespace: [retial]", "watchNamespace"),
    ],
)
def test_wrong_values_are_refused(tmp_path: Path, file: str, text: str, field: str) -> None:
    folder = tmp_path / "operator"
    folder.mkdir()
    (tmp_path / "base").mkdir()
    (tmp_path / "base/kustomization.yaml").write_text("namespace: retail\n")
    (folder / "values.yaml").write_text(f"image: {{tag: '{DIGEST}'}}\nwatchNamespace: [retail]\n")
    with (folder / file).open("a") as values:
        values.write(f"{text}\n")
    found = operator_values.check(tmp_path)
    assert [(item.file, item.field) for item in found] == [(f"operator/{file}", field)]


@pytest.mark.parametrize("watched", ["", "watchNamespace: [retial]", "watchNamespace: retail"])
def test_the_operator_watches_the_namespace_of_the_overlays(tmp_path: Path, watched: str) -> None:
    for folder in ("operator", "base"):
        (tmp_path / folder).mkdir()
    (tmp_path / "base/kustomization.yaml").write_text("namespace: retail\n")
    (tmp_path / "operator/values.yaml").write_text(f"image: {{tag: '{DIGEST}'}}\n{watched}\n")
    assert [item.field for item in operator_values.check(tmp_path)] == ["watchNamespace"]


def test_gates_are_those_that_are_switched_on(tmp_path: Path) -> None:
    (tmp_path / "operator").mkdir()
    gates = "featureGates: [{name: RayCronJob, enabled: true}, {name: RayClusterMTLS, enabled: false}]"
    (tmp_path / "operator/values.yaml").write_text(gates)
    assert operator_values.gates(tmp_path) == {"RayCronJob"}


def invoke(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["cluster", *arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


@pytest.mark.usefixtures("overlays", "schemas")
def test_the_command_answers_by_its_exit_code_and_as_json() -> None:
    code, out = invoke("validate", "dev", "--test-images", "--json")
    assert (code, json.loads(out)) == (0, {"valid": True, "findings": {"dev": [], "operator": []}})
    code, out = invoke("validate", "dev", "--json")
    findings = json.loads(out)["findings"]
    assert (code, {item["rule"] for item in findings["dev"]}) == (1, {"real-digests"})
    assert set(findings["dev"][0]) == {"rule", "file", "object", "field", "reason", "remedy"}


@pytest.mark.usefixtures("overlays", "schemas")
def test_the_command_shows_a_table_of_what_is_refused() -> None:
    code, out = invoke("validate", "prod")
    assert code == 1
    assert "prod: " in out and "operator: 1 refused" in out
    assert "64 zeros" in out


@pytest.mark.usefixtures("overlays")
def test_what_it_cannot_use_is_told_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="tag v1"):
        invoke("validate", "dev", "--crds", str(tmp_path))
    with pytest.raises(ConfigurationError, match="no such overlay"):
        invoke("explain", "staging")


def test_the_command_renders_what_kubectl_takes(dev: Overlay) -> None:
    import yaml

    code, out = invoke("render", "dev")
    listed = [manifest for manifest in dev.objects if manifest.name]
    assert (code, list(yaml.safe_load_all(out))) == (0, [manifest.body for manifest in listed])
    assert "# kuberay/base/api.yaml" in out
    code, out = invoke("render", "dev", "--json")
    assert [item["body"] for item in json.loads(out)["objects"]] == [manifest.body for manifest in listed]


@pytest.mark.parametrize("command", ["validate", "explain dev"])
def test_without_the_extra_it_is_named(command: str) -> None:
    """As in the image, which has no use for the judges."""
    code = "import sys; sys.modules['cel'] = None; from ray_apps.cli import main; main()"
    answer = subprocess.run([sys.executable, "-c", code, "cluster", *command.split()], capture_output=True, text=True)
    assert (answer.returncode, "retail-data-platform[manifests]" in answer.stderr) == (2, True)
