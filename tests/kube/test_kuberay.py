"""The pods that the harness makes of a manifest are those of KubeRay; what Ray's autoscaler reads of it is the same."""

import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from ray.autoscaler._private.kuberay.autoscaling_config import _derive_autoscaling_config_from_ray_cr

from cluster.manifests import crds, schema
from cluster.manifests.objects import Manifest
from tests.kube.api_server import RefusedError, Store, patched
from tests.kube.kuberay import HEAD_GROUP, Object, cluster_of, head_pod, worker_pod
from tests.kube.submitter import submit_command

HEAD = {"name": "h", "image": "i", "resources": {"limits": {"cpu": 2, "memory": "1Gi"}}}
WORKER = {"name": "w", "image": "i", "resources": {"requests": {"cpu": "1500m"}}}
CLUSTER = {
    "metadata": {"name": "c", "namespace": "n", "uid": "u", "labels": {"ray.io/originated-from-crd": "RayService"}},
    "spec": {
        "enableInTreeAutoscaling": True,
        "autoscalerOptions": {"version": "v2"},
        "authOptions": {"mode": "token", "secretName": "s"},
        "gcsFaultToleranceOptions": {"redisAddress": "redis://r:6379", "redisPassword": {"value": "p"}},
        "headGroupSpec": {
            "resources": {"CPU": "0", "head": "1"},
            "rayStartParams": {"include-dashboard": "true"},
            "template": {"spec": {"containers": [HEAD]}},
        },
        "workerGroupSpecs": [
            {
                "groupName": "w",
                "labels": {"b": "2", "a": "1"},
                "template": {"spec": {"containers": [WORKER]}},
            }
        ],
    },
}  # fmt: skip


def ray(pod: Object) -> Any:
    return pod["spec"]["containers"][0]


def environment(container: Object) -> dict[str, str]:
    return {variable["name"]: variable.get("value", "") for variable in container["env"]}


def test_the_heads_command_and_variables() -> None:
    pod = head_pod(CLUSTER, "c-head")
    assert ray(pod)["args"] == [
        "ulimit -n ${RAY_START_ULIMIT_OPEN_FILES:-65536}; ray start --head --block --dashboard-agent-listen-port=52365 "
        "--dashboard-host=0.0.0.0 --include-dashboard=true --memory=1073741824 --metrics-export-port=8080 --no-monitor "
        """--num-cpus=0 --redis-password=$REDIS_PASSWORD --resources='{"head": 1.0}'"""
    ]
    found = environment(ray(pod))
    assert found["RAY_enable_autoscaler_v2"] == "true"
    assert (found["RAY_AUTH_MODE"], found["RAY_REDIS_ADDRESS"], found["REDIS_PASSWORD"]) == (
        "token",
        "redis://r:6379",
        "p",
    )
    assert found["RAY_external_storage_namespace"] == "u"
    assert found["RAY_ADDRESS"] == "127.0.0.1:6379"
    assert [container["name"] for container in pod["spec"]["containers"]] == ["h", "autoscaler"]
    assert {mount["mountPath"] for mount in ray(pod)["volumeMounts"]} == {"/tmp/ray", "/dev/shm"}
    assert pod["metadata"]["labels"]["ray.io/serve"] == "false"
    assert pod["spec"]["restartPolicy"] == "Never"


def test_a_workers_command_and_variables() -> None:
    pod = worker_pod(CLUSTER, "w", "c-w-1")
    assert ray(pod)["args"][0].endswith(
        "ray start --address=c-head-svc.n.svc.cluster.local:6379 --block --dashboard-agent-listen-port=52365 "
        "--labels=a=1,b=2 --metrics-export-port=8080 --num-cpus=2"
    )
    found = environment(ray(pod))
    assert found["RAY_gcs_rpc_server_reconnect_timeout_s"] == "600"
    assert found["RAY_SERVE_KV_TIMEOUT_S"] == "5"
    assert "RAY_REDIS_ADDRESS" not in found
    assert {name: pod["metadata"]["labels"][f"ray.io/{name}"] for name in ("group", "node-type", "cluster")} == {
        "group": "w", "node-type": "worker", "cluster": "c",
    }  # fmt: skip


def test_the_submitter_submits_once_and_follows() -> None:
    command = submit_command({"entrypoint": "python -m x ", "runtimeEnvYAML": "env_vars: {A: b}"}, "http://h:8265", "j")
    assert "if ! ray job status --address http://h:8265 j " in command
    assert """--no-wait --runtime-env-json '{"env_vars": {"A": "b"}}' --submission-id j -- python -m x ;""" in command
    assert command.endswith("ray job logs --address http://h:8265 --follow j")


def clusters(rendered: list[Manifest]) -> Iterator[Object]:
    for manifest in rendered:
        if manifest.name and manifest.kind in {"RayJob", "RayService"}:
            yield schema.with_defaults(cluster_of(dict(manifest.body), "x"), crds.load(None))


def test_each_pod_has_what_the_autoscaler_expects_of_its_group(rendered: list[Manifest]) -> None:
    """A group whose nodes bring less than the autoscaler believes would grow for ever."""
    seen = 0
    for cluster in clusters(rendered):
        config = _derive_autoscaling_config_from_ray_cr(cluster)
        for name, group in config["available_node_types"].items():
            pod = head_pod(cluster, "head") if name == HEAD_GROUP else worker_pod(cluster, name, "worker")
            flags = dict(word.removeprefix("--").partition("=")[::2] for word in shlex.split(ray(pod)["args"][0]))
            assert int(flags["num-cpus"]) == group["resources"]["CPU"]
            assert int(flags["memory"]) == group["resources"]["memory"]
            for resource in set(group["resources"]) - {"CPU", "memory"}:
                assert f'"{resource}": 1.0' in flags["resources"]
            seen += 1
    assert seen >= 9


def test_a_json_patch_may_replace_what_is_absent() -> None:
    body = {"spec": {"groups": [{"name": "a"}]}}
    asked = [{"op": "replace", "path": "/spec/groups/0/scaleStrategy", "value": {"workersToDelete": ["p"]}}]
    assert patched(body, asked) == {"spec": {"groups": [{"name": "a", "scaleStrategy": {"workersToDelete": ["p"]}}]}}
    assert body == {"spec": {"groups": [{"name": "a"}]}}
    with pytest.raises(RefusedError, match="test of /spec"):
        patched(body, [{"op": "test", "path": "/spec", "value": 1}])


def test_the_roles_of_the_overlay_decide(rendered: list[Manifest]) -> None:
    store = Store(crds.load(None), [dict(one.body) for one in rendered if one.kind.startswith("Role")])
    may = {
        (account, verb, plural)
        for account in ("retail-ray-head", "retail-ray-worker", "retail-launcher", "default")
        for verb in ("get", "list", "create", "patch", "delete")
        for group, plural in (("", "pods"), ("", "secrets"), ("ray.io", "rayclusters"), ("ray.io", "rayjobs"))
        if store.may(account, verb, group, plural, "x")
    }
    assert may == {
        ("retail-ray-head", "get", "pods"), ("retail-ray-head", "list", "pods"),
        ("retail-ray-head", "get", "rayclusters"), ("retail-ray-head", "patch", "rayclusters"),
        ("retail-launcher", "create", "rayjobs"),
    }  # fmt: skip


def test_the_schema_refuses_what_the_api_server_would(rendered: list[Manifest]) -> None:
    cluster = next(clusters(rendered))
    store = Store(crds.load(None), [])
    kept = store.put(cluster)
    assert kept["spec"]["workerGroupSpecs"][0]["replicas"] == 0
    with pytest.raises(RefusedError, match="replicas"):
        store.put(patched(kept, [{"op": "replace", "path": "/spec/workerGroupSpecs/0/replicas", "value": "one"}]))
