"""What KubeRay 1.7.0 makes of a manifest: the RayCluster of a RayJob or RayService, and its pods.

Follows the operator's `BuildPod` and what it calls, as far as our manifests use it. Knows no process and no address.
"""

import copy
import json
import math
from collections.abc import Mapping
from typing import Any

from ray.autoscaler._private.kuberay.utils import parse_quantity

Object = dict[str, Any]
HEAD_GROUP = "headgroup"
GCS_PORT = 6379
SHELL = ["/bin/bash", "-c", "--"]
FLAGS_WITH_A_VALUE = {"log-color", "include-dashboard", "include-log-monitor"}
OF_A_RAYSERVICE = {
    "RAY_timeout_ms_task_wait_for_death_info": "0",
    "RAY_gcs_server_request_timeout_seconds": "5",
    "RAY_SERVE_KV_TIMEOUT_S": "5",
}


def head_service(cluster: Object) -> str:
    """Give the name by which the pods reach the head."""
    metadata = cluster["metadata"]
    return f"{metadata['name']}-head-svc.{metadata['namespace']}.svc.cluster.local"


def cluster_of(owner: Object, suffix: str) -> Object:
    """Make the RayCluster of a RayJob or RayService."""
    spec = owner["spec"].get("rayClusterSpec") or owner["spec"].get("rayClusterConfig")
    labels = {"ray.io/originated-from-crd": owner["kind"], "ray.io/originated-from-cr-name": owner["metadata"]["name"]}
    metadata = {
        "name": f"{owner['metadata']['name']}-{suffix}", "namespace": owner["metadata"]["namespace"],
        "labels": labels, "uid": f"uid-{suffix}",
    }  # fmt: skip
    return {"apiVersion": "ray.io/v1", "kind": "RayCluster", "metadata": metadata, "spec": copy.deepcopy(spec)}


def head_pod(cluster: Object, name: str) -> Object:
    """Make the head's pod, the autoscaler beside Ray in it."""
    group = copy.deepcopy(cluster["spec"]["headGroupSpec"])
    params = _start_params(group)
    params.setdefault("dashboard-host", "0.0.0.0")
    pod = _pod(cluster, group, name, HEAD_GROUP)
    ray = pod["spec"]["containers"][0]
    if cluster["spec"].get("enableInTreeAutoscaling"):
        params["no-monitor"] = "true"
        pod["spec"]["containers"].append(_autoscaler(cluster, ray["image"]))
        _mount_empty(pod, "ray-logs", "/tmp/ray", {}, containers=(0, 1))
    _enable_v2(cluster, pod)
    _survive_the_head(cluster, ray, params)
    _finish(cluster, pod, params, "--head ")
    return pod


def worker_pod(cluster: Object, group_name: str, name: str) -> Object:
    """Make a pod of a worker group."""
    spec = cluster["spec"]
    group = copy.deepcopy(next(group for group in spec["workerGroupSpecs"] if group["groupName"] == group_name))
    params = _start_params(group)
    params.setdefault("address", f"{head_service(cluster)}:{GCS_PORT}")
    pod = _pod(cluster, group, name, group_name)
    ray = pod["spec"]["containers"][0]
    if "gcsFaultToleranceOptions" in spec:
        _default(ray, "RAY_gcs_rpc_server_reconnect_timeout_s", "600")
    if _autoscaled_by_v2(cluster):
        pod["spec"]["restartPolicy"] = "Never"
    _finish(cluster, pod, params, "")
    return pod


def _pod(cluster: Object, group: Object, name: str, group_name: str) -> Object:
    template = group["template"]
    labels = {**template.get("metadata", {}).get("labels", {}), **group.get("labels", {})}
    is_head = group_name == HEAD_GROUP
    owner = cluster["metadata"]
    labels |= {
        "ray.io/is-ray-node": "yes", "ray.io/cluster": owner["name"], "ray.io/group": group_name,
        "ray.io/node-type": "head" if is_head else "worker",
    }  # fmt: skip
    if _of_a_rayservice(cluster):
        labels["ray.io/serve"] = "false" if is_head else "true"
    metadata = {**template.get("metadata", {}), "name": name, "namespace": owner["namespace"], "labels": labels}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def _start_params(group: Object) -> dict[str, str]:
    params: dict[str, str] = group.setdefault("rayStartParams", {})
    custom = {}
    for name, quantity in group.get("resources", {}).items():
        known = {"cpu": "num-cpus", "memory": "memory", "gpu": "num-gpus"}.get(name.lower())
        if known:
            params[known] = _whole(quantity)
        else:
            custom[name] = float(parse_quantity(quantity))
    if custom:
        params["resources"] = f"'{json.dumps(custom)}'"
    if group.get("labels"):
        params["labels"] = ",".join(f"{key}={value}" for key, value in sorted(group["labels"].items()))
    return params


def _finish(cluster: Object, pod: Object, params: dict[str, str], head: str) -> None:
    """Give the pod its command and the environment that KubeRay adds."""
    ray = pod["spec"]["containers"][0]
    authenticate(cluster, ray)
    params.setdefault("metrics-export-port", "8080")
    params.setdefault("dashboard-agent-listen-port", "52365")
    params["block"] = "true"
    resources = ray.get("resources", {})
    limits, requests = resources.get("limits", {}), resources.get("requests", {})
    if cpus := limits.get("cpu") or requests.get("cpu"):
        params.setdefault("num-cpus", _whole(cpus))
    if "memory" in limits:
        params.setdefault("memory", _whole(limits["memory"]))
    memory = limits.get("memory") or requests.get("memory")
    _mount_empty(pod, "shared-mem", "/dev/shm", {"medium": "Memory", **({"sizeLimit": memory} if memory else {})})
    start = f"ray start {head}{_flags(params)}"
    own = " ".join([*ray.get("command", []), *ray.get("args", [])])
    if "ray start" not in own:
        ray["command"] = SHELL
        limit = "ulimit -n ${RAY_START_ULIMIT_OPEN_FILES:-65536}"
        ray["args"] = [f"{own} && {limit}; {start}" if own else f"{limit}; {start}"]
    _add_environment(cluster, ray, start, is_head=bool(head))


def _add_environment(cluster: Object, ray: Object, start: str, is_head: bool) -> None:
    host = "127.0.0.1" if is_head else head_service(cluster)
    if not is_head:
        ray["env"] += [{"name": "FQ_RAY_IP", "value": host}, {"name": "RAY_IP", "value": host.partition(".")[0]}]
    fields = {
        "RAY_CLUSTER_NAME": "metadata.labels['ray.io/cluster']", "RAY_CLUSTER_NAMESPACE": "metadata.namespace",
        "RAY_CLOUD_INSTANCE_ID": "metadata.name", "RAY_NODE_TYPE_NAME": "metadata.labels['ray.io/group']",
    }  # fmt: skip
    ray["env"] += [_from_field(name, path) for name, path in fields.items()]
    ray["env"].append({"name": "KUBERAY_GEN_RAY_START_CMD", "value": start})
    defaults = {"RAY_PORT": str(GCS_PORT), "RAY_ADDRESS": f"{host}:{GCS_PORT}", "RAY_USAGE_STATS_KUBERAY_IN_USE": "1"}
    for name, value in (defaults | (OF_A_RAYSERVICE if _of_a_rayservice(cluster) else {})).items():
        _default(ray, name, value)


def _autoscaler(cluster: Object, image: str) -> Object:
    command = "ray kuberay-autoscaler --cluster-name $(RAY_CLUSTER_NAME) --cluster-namespace $(RAY_CLUSTER_NAMESPACE)"
    container: Object = {
        "name": "autoscaler", "image": image, "command": SHELL, "args": [command],
        "env": [
            _from_field("RAY_CLUSTER_NAME", "metadata.labels['ray.io/cluster']"),
            _from_field("RAY_CLUSTER_NAMESPACE", "metadata.namespace"),
            _from_field("RAY_HEAD_POD_NAME", "metadata.name"),
            {"name": "KUBERAY_CRD_VER", "value": "v1"},
            {"name": "KUBERAY_GEN_AUTOSCALER_START_CMD", "value": command},
        ],
    }  # fmt: skip
    authenticate(cluster, container)
    options = cluster["spec"].get("autoscalerOptions", {})
    for field in ("env", "envFrom", "volumeMounts"):
        container[field] = [*container.get(field, []), *options.get(field, [])]
    return container | {name: options[name] for name in ("image", "resources", "command", "args") if name in options}


def _enable_v2(cluster: Object, pod: Object) -> None:
    if cluster["spec"].get("enableInTreeAutoscaling"):
        v2 = _autoscaled_by_v2(cluster)
        ray = pod["spec"]["containers"][0]
        ray.setdefault("env", []).append({"name": "RAY_enable_autoscaler_v2", "value": str(v2).lower()})
        if v2:
            pod["spec"]["restartPolicy"] = "Never"


def _survive_the_head(cluster: Object, ray: Object, params: dict[str, str]) -> None:
    """Let the head keep its tables in Redis or Valkey."""
    options = cluster["spec"].get("gcsFaultToleranceOptions")
    if not options:
        return
    _default(ray, "RAY_external_storage_namespace", options.get("externalStorageNamespace", cluster["metadata"]["uid"]))
    ray["env"].append({"name": "RAY_REDIS_ADDRESS", "value": options["redisAddress"]})
    for field, option, name in (
        ("redisUsername", "redis-username", "REDIS_USERNAME"), ("redisPassword", "redis-password", "REDIS_PASSWORD")
    ):  # fmt: skip
        if field in options:
            params[option] = f"${name}"
            ray["env"].append({"name": name, **options[field]})


def authenticate(cluster: Object, container: Object) -> None:
    """Let a container show the cluster's token."""
    auth = cluster["spec"].get("authOptions", {})
    if auth.get("mode") != "token":
        container.setdefault("env", [])
        return
    _default(container, "RAY_AUTH_MODE", "token")
    secret = {"name": auth.get("secretName") or cluster["metadata"]["name"], "key": "auth_token"}
    if not _has(container, "RAY_AUTH_TOKEN"):
        container["env"].append({"name": "RAY_AUTH_TOKEN", "valueFrom": {"secretKeyRef": secret}})


def _mount_empty(pod: Object, name: str, path: str, source: Object, containers: tuple[int, ...] = (0,)) -> None:
    """Mount an empty folder where the manifest mounts nothing."""
    for index in containers:
        mounts = pod["spec"]["containers"][index].setdefault("volumeMounts", [])
        if all(mount["mountPath"] != path for mount in mounts):
            mounts.append({"name": name, "mountPath": path})
            volumes = pod["spec"].setdefault("volumes", [])
            if all(volume["name"] != name for volume in volumes):
                volumes.append({"name": name, "emptyDir": source})


def _flags(params: Mapping[str, str]) -> str:
    flags = []
    for name, value in sorted(params.items()):
        if value.lower() not in {"true", "false"} or name in FLAGS_WITH_A_VALUE:
            flags.append(f"--{name}={value}")
        elif value.lower() == "true":
            flags.append(f"--{name}")
    return " ".join(flags)


def _default(container: Object, name: str, value: str) -> None:
    if not _has(container, name):
        container["env"].append({"name": name, "value": value})


def _has(container: Object, name: str) -> bool:
    return any(variable["name"] == name for variable in container.setdefault("env", []))


def _from_field(name: str, path: str) -> Object:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def _whole(quantity: Any) -> str:
    return str(math.ceil(parse_quantity(quantity)))


def _autoscaled_by_v2(cluster: Object) -> bool:
    return bool(cluster["spec"].get("autoscalerOptions", {}).get("version") == "v2")


def _of_a_rayservice(cluster: Object) -> bool:
    return bool(cluster["metadata"].get("labels", {}).get("ray.io/originated-from-crd") == "RayService")
