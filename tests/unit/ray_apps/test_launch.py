"""The launcher's RayJob: the template under the Job's name, started; what is no template is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from cluster.errors import ConfigurationError
from cluster.kube_api import create_rayjob
from ray_apps.launch import named, owned, read_template

TEMPLATE: dict[str, Any] = {
    "apiVersion": "ray.io/v1",
    "kind": "RayJob",
    "metadata": {"labels": {"app": "retail"}},
    "spec": {"suspend": True, "entrypoint": "python -m ray_apps.daily_refresh"},
}


def test_the_job_has_the_name_given_and_starts(tmp_path: Path) -> None:
    file = tmp_path / "job.json"
    file.write_text(json.dumps(TEMPLATE))
    job = named(read_template(file), "retail-daily-refresh-29384756")
    assert job["metadata"] == {"labels": {"app": "retail"}, "name": "retail-daily-refresh-29384756"}
    assert job["spec"] == TEMPLATE["spec"] | {"suspend": False}
    assert TEMPLATE["spec"]["suspend"], "the template itself is left as it is"


def test_the_launchers_job_owns_it() -> None:
    job = named(TEMPLATE, "x")
    assert owned(job, "", "") == job
    reference = {"apiVersion": "batch/v1", "kind": "Job", "name": "nightly", "uid": "1-2"}
    assert owned(job, "nightly", "1-2")["metadata"]["ownerReferences"] == [reference]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"kind": "Job", "spec": {}}', '{"kind": "RayJob"}'])
def test_what_is_no_rayjob_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "job.json"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read_template(file)
    assert caught.value.where == str(file)
    assert caught.value.remedy


@pytest.mark.parametrize("name", ["", "x" * 48])
def test_a_name_that_kuberay_refuses_is_refused_here(name: str) -> None:
    with pytest.raises(ConfigurationError, match="name"):
        named(TEMPLATE, name)


def test_outside_a_pod_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("kubernetes")
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ConfigurationError, match="no pod"):
        create_rayjob(named(TEMPLATE, "x"))
