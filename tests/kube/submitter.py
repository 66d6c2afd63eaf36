"""What KubeRay 1.7.0 makes of a RayJob beside its cluster: the pod that submits it, in K8sJobMode."""

import copy
import json
import shlex
from collections.abc import Mapping
from typing import Any

import yaml

from tests.kube.kuberay import Object, authenticate, head_service

WAIT_FOR_DASHBOARD = (
    """until python -c "import urllib.request; r=urllib.request.urlopen('{address}/api/gcs_healthz', timeout=10); """
    """exit(0 if b'success' in r.read() else 1)" >/dev/null 2>&1 ; do echo "Waiting" ; sleep 2 ; done"""
)


def submitter_pod(job: Object, cluster: Object, job_id: str) -> Object:
    """Make the pod that submits a RayJob's entrypoint, in K8sJobMode."""
    spec = job["spec"]
    default = {
        "spec": {
            "containers": [
                {
                    "name": "ray-job-submitter",
                    "image": cluster["spec"]["headGroupSpec"]["template"]["spec"]["containers"][0]["image"],
                }
            ],
            "restartPolicy": "Never",
        }
    }
    template: Object = copy.deepcopy(spec.get("submitterPodTemplate") or default)
    name, namespace = f"{job_id}-submitter", job["metadata"]["namespace"]
    metadata = {**template.get("metadata", {}), "name": name, "namespace": namespace}
    pod: Object = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
    container = pod["spec"]["containers"][0]
    dashboard = f"{head_service(cluster)}:8265"
    if not container.get("command"):
        container["command"] = ["/bin/bash", "-ce", "--"]
        container["args"] = [submit_command(spec, f"http://{dashboard}", job_id)]
    container.setdefault("env", []).extend(
        [
            {"name": "PYTHONUNBUFFERED", "value": "1"},
            {"name": "RAY_DASHBOARD_ADDRESS", "value": dashboard},
            {"name": "RAY_JOB_SUBMISSION_ID", "value": job_id},
        ]
    )
    authenticate(cluster, container)
    return pod


def submit_command(spec: Mapping[str, Any], address: str, job_id: str) -> str:
    """Give the submitter's command: submit once, then follow the log."""
    options = [f"--submission-id {job_id}"]
    if spec.get("runtimeEnvYAML"):
        options.insert(0, f"--runtime-env-json {shlex.quote(json.dumps(yaml.safe_load(spec['runtimeEnvYAML'])))}")
    for field, option in (("entrypointNumCpus", "num-cpus"), ("entrypointNumGpus", "num-gpus")):
        if spec.get(field):
            options.append(f"--entrypoint-{option} {spec[field]:f}")
    if spec.get("entrypointResources"):
        options.append(f"--entrypoint-resources {shlex.quote(spec['entrypointResources'])}")
    return (
        f"{WAIT_FOR_DASHBOARD.format(address=address)} ; "
        f"if ! ray job status --address {address} {job_id} >/dev/null 2>&1 ; "
        f"then ray job submit --address {address} --no-wait {' '.join(options)} -- {spec['entrypoint'].strip()} ; fi ; "
        f"ray job logs --address {address} --follow {job_id}"
    )
