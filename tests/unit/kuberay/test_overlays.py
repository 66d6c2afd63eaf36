"""What the overlays hold is what the code has: jobs, applications, settings; and a pod's parts fit into the pod."""

import importlib
import inspect
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, get_type_hints

import pytest
import yaml
from ray.serve import Application, Deployment

from cluster.manifests.objects import Manifest, Overlay, Versions
from cluster.manifests.quantities import amount
from cluster.manifests.render import KUBERAY
from cluster.manifests.rules.parts import Group, at, groups
from cluster.settings import Settings, load_settings
from ray_apps import JOBS
from ray_apps.launch import MOST_CHARACTERS
from tests.unit.kuberay.conftest import Rendered

OVERLAYS = ("dev", "prod")
LAPTOP_ONLY = {"build", "bind"}
OBJECT_STORE_SHARE = Decimal("0.3")
SPARK_OVERHEAD = Decimal("0.1")
SPARK_LEAST_OVERHEAD_MB = 384


def overlay(rendered: Rendered, name: str) -> Overlay:
    return Overlay(name, rendered[name], Versions("", "", "", ""))


def named(rendered: Rendered, name: str, kind: str, of: str) -> Manifest:
    return next(item for item in rendered[name] if item.kind == kind and item.name == of)


def settings_of(rendered: Rendered, name: str) -> dict[str, str]:
    data: dict[str, str] = named(rendered, name, "ConfigMap", "retail-settings").body["data"]
    return data


def serve_file() -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((KUBERAY / "serve" / "serve.yaml").read_text())
    return config


def bounds(cluster: Any) -> dict[str, tuple[int, int]]:
    return {group["groupName"]: (group["minReplicas"], group["maxReplicas"]) for group in cluster["workerGroupSpecs"]}


def scaling(item: Manifest) -> tuple[int, int]:
    config = at(yaml.safe_load(item.spec["serveConfigV2"]), "applications.0.deployments.0.autoscaling_config")
    return config["min_replicas"], config["max_replicas"]


@pytest.mark.parametrize("name", OVERLAYS)
def test_there_is_a_rayjob_for_each_job(rendered: Rendered, name: str) -> None:
    jobs = {item.name: item.spec for item in rendered[name] if item.kind == "RayJob" and item.name}
    assert {job: spec["entrypoint"] for job, spec in jobs.items()} == {
        f"retail-{module.replace('_', '-')}": f"python -m ray_apps.{module}" for module in JOBS
    }
    assert all(spec["suspend"] for spec in jobs.values())


@pytest.mark.parametrize("name", OVERLAYS)
def test_a_run_is_what_was_judged(rendered: Rendered, name: str) -> None:
    jobs = {item.spec["entrypoint"]: item.spec for item in rendered[name] if item.kind == "RayJob" and item.name}
    templates = {
        item.spec["entrypoint"]: item.spec for item in rendered[name] if item.kind == "RayJob" and not item.name
    }
    assert templates == jobs
    starters = {item.name for item in rendered[name] if item.kind == "CronJob"}
    assert starters == {f"retail-{module.replace('_', '-')}" for module in JOBS}


def test_a_run_has_a_name_of_its_own_that_fits(rendered: Rendered) -> None:
    """KubeRay gives the Job that submits a RayJob the RayJob's name: the launcher's Job must not have it."""
    for item in rendered["prod"]:
        if item.kind == "CronJob":
            env = at(item.spec, "jobTemplate.spec.template.spec.containers.0.env")
            job, name, uid = env
            assert at(job, "valueFrom.fieldRef.fieldPath") == "metadata.labels['batch.kubernetes.io/job-name']"
            assert (name["name"], name["value"]) == ("RETAIL_LAUNCH_NAME", f"$({job['name']})-ray")
            assert at(uid, "valueFrom.fieldRef.fieldPath") == "metadata.labels['batch.kubernetes.io/controller-uid']"
            args = at(item.spec, "jobTemplate.spec.template.spec.containers.0.args")
            assert args == ["--owner", f"$({job['name']})", "--owner-uid", f"$({uid['name']})"]
            assert len(f"{item.name}-12345678-ray") <= MOST_CHARACTERS


def test_the_applications_are_those_of_serve() -> None:
    module = importlib.import_module("serve.app")
    builders = {
        name
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if not name.startswith("_") and get_type_hints(function).get("return") is Application
    }
    paths = [application["import_path"] for application in serve_file()["applications"]]
    assert sorted(paths) == sorted(f"serve.app:{name}" for name in builders - LAPTOP_ONLY)


def test_the_deployments_are_those_of_serve() -> None:
    module = importlib.import_module("serve.app")
    made = {item.name for item in vars(module).values() if isinstance(item, Deployment)}
    config = serve_file()
    assert {deployment["name"] for app in config["applications"] for deployment in app["deployments"]} == made
    assert [app["name"] for app in config["applications"]] == [module.APPLICATION_NAME]


@pytest.mark.parametrize("name", OVERLAYS)
def test_settings_exist_and_load(rendered: Rendered, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = settings_of(rendered, name)
    assert set(data) <= {f"RETAIL_{field.upper()}" for field in Settings.model_fields}
    for variable, value in data.items():
        monkeypatch.setenv(variable, value)
    shown = load_settings().masked()
    assert {variable: str(shown[variable.removeprefix("RETAIL_").lower()]) for variable in data} == data


def test_bounds_of_dev(rendered: Rendered) -> None:
    api = named(rendered, "dev", "RayService", "retail-api")
    assert bounds(api.spec["rayClusterConfig"]) == {"serve": (1, 3), "models": (0, 1)}
    assert scaling(api) == (1, 3)
    for item in rendered["dev"]:
        if item.kind in {"RayJob", "RayCluster"}:
            assert bounds(item.spec.get("rayClusterSpec", item.spec)) == {"etl": (0, 2), "spark": (0, 1)}
    executors = {value for key, value in settings_of(rendered, "dev").items() if key.endswith("_EXECUTORS")}
    assert executors == {"1"}


def test_bounds_of_prod(rendered: Rendered) -> None:
    api = named(rendered, "prod", "RayService", "retail-api")
    assert bounds(api.spec["rayClusterConfig"]) == {"serve": (2, 20), "models": (0, 6)}
    assert scaling(api) == (2, 20)
    for item in rendered["prod"]:
        if item.kind in {"RayJob", "RayCluster"}:
            assert bounds(item.spec.get("rayClusterSpec", item.spec)) == {"etl": (0, 20), "spark": (0, 20)}
    data = settings_of(rendered, "prod")
    assert [data[f"RETAIL_SPARK_{which}_EXECUTORS"] for which in ("MIN", "INITIAL", "MAX")] == ["2", "4", "20"]


def test_lakes(rendered: Rendered) -> None:
    assert settings_of(rendered, "prod")["RETAIL_LAKE_URI"].startswith("s3://")
    assert settings_of(rendered, "prod")["RETAIL_JOIN"] == "local"
    claim = named(rendered, "dev", "PersistentVolumeClaim", "retail-lake")
    assert claim.spec["accessModes"] == ["ReadWriteMany"]
    homes = {
        (group.name, at(volume, "persistentVolumeClaim.claimName"))
        for group in groups(overlay(rendered, "dev"))
        for volume in group.pod().spec["volumes"]
        if volume["name"] == "home"
    }
    assert {("etl", "retail-lake"), ("spark", "retail-lake"), ("headgroup", "retail-lake"), ("serve", None)} <= homes


@pytest.mark.parametrize("name", OVERLAYS)
def test_a_pod_has_room_for_its_parts(rendered: Rendered, name: str) -> None:
    for group in groups(overlay(rendered, name)):
        limits = at(group.pod().spec, "containers.0.resources.limits")
        shm, disk = _volumes(group)
        where = f"{group.cluster.manifest} {group.name}"
        assert shm >= OBJECT_STORE_SHARE * amount(limits["memory"]), f"{where}: Ray's objects would go to disk"
        assert disk < amount(limits["ephemeral-storage"]), f"{where}: evicted before a volume is full"


def _volumes(group: Group) -> tuple[Decimal, Decimal]:
    sizes: dict[bool, Decimal] = {True: Decimal(0), False: Decimal(0)}
    for volume in group.pod().spec["volumes"]:
        if "emptyDir" in volume:
            sizes[volume["emptyDir"].get("medium") == "Memory"] += amount(volume["emptyDir"]["sizeLimit"])
    return sizes[True], sizes[False]


def _spark(rendered: Rendered, name: str) -> Iterator[Group]:
    yield from (group for group in groups(overlay(rendered, name)) if group.name == "spark")


@pytest.mark.parametrize("name", OVERLAYS)
def test_an_executor_fits_into_its_pod(rendered: Rendered, name: str) -> None:
    data = settings_of(rendered, name)
    heap = Decimal(data["RETAIL_SPARK_EXECUTOR_MEMORY_MB"])
    needed = heap + max(SPARK_OVERHEAD * heap, Decimal(SPARK_LEAST_OVERHEAD_MB))
    found = list(_spark(rendered, name))
    assert len(found) == 3 + 2, "two jobs, their templates, the cluster for development"
    for group in found:
        limits = at(group.pod().spec, "containers.0.resources.limits")
        # A gibibyte for Python, the raylet and its agents.
        assert needed * 2**20 + amount("1Gi") <= amount(limits["memory"])
        assert int(data["RETAIL_SPARK_EXECUTOR_CORES"]) <= amount(limits["cpu"])


@pytest.mark.parametrize("name", OVERLAYS)
def test_a_pod_outlives_its_requests(rendered: Rendered, name: str) -> None:
    deployments = [deployment for app in serve_file()["applications"] for deployment in app["deployments"]]
    longest = max(deployment["graceful_shutdown_timeout_s"] for deployment in deployments)
    for group in groups(overlay(rendered, name)):
        if group.cluster.manifest.kind == "RayService":
            assert group.pod().spec["terminationGracePeriodSeconds"] >= longest + 30 + 30


@pytest.mark.parametrize("name", OVERLAYS)
def test_nothing_local_is_rendered(rendered: Rendered, name: str) -> None:
    assert {item.kind for item in rendered[name]} & {"PodTemplate", "Secret"} == set()
    configs = {item.name for item in rendered[name] if item.kind == "ConfigMap"}
    assert configs == {"retail-settings", "retail-job-templates"}


def test_serve_stands_in_one_file(rendered: Rendered) -> None:
    given = yaml.safe_load(named(rendered, "prod", "RayService", "retail-api").spec["serveConfigV2"])
    assert given == serve_file()
    smaller = yaml.safe_load(named(rendered, "dev", "RayService", "retail-api").spec["serveConfigV2"])
    changed = smaller["applications"][0]["deployments"][0]["autoscaling_config"]
    changed |= {"min_replicas": 2, "max_replicas": 20}
    assert smaller == serve_file()
