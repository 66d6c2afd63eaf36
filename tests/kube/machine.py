"""The machine of a scenario: one Kubernetes namespace with the dev overlay applied, its warehouse and its Valkey."""

import json
import os
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import NAMESPACE_DNS, uuid5

from cluster.manifests import crds, render
from tests.kube import api_server, namespaces
from tests.kube.backing import Road, Warehouse, valkey
from tests.kube.kuberay import cluster_of
from tests.kube.namespaces import ADDRESS, STATE
from tests.kube.operator import Operator
from tests.kube.pods import Kubelet, Pod
from tests.kube.substitutions import hurried
from tests.unit.kuberay.containerfile import CONTAINERFILE, instructions

Object = dict[str, Any]
OVERLAY = "dev"
RECORD = "record.json"
IN_IMAGE = "/srv/retail/.venv"
"""Where the image has its environment."""
BEGAN = time.monotonic()


class Machine:
    """What the scenarios share."""

    def __init__(self, road: Road, warehouse_url: str, definitions: crds.Crds) -> None:
        """Apply the overlay; nothing runs yet."""
        self.road, self.warehouse_url = road, warehouse_url
        self.objects = hurried(render.render(OVERLAY), warehouse_url)
        self.store = api_server.Store(definitions, [body for body in self.objects if body["kind"].startswith("Role")])
        for body in self.objects:
            if body["kind"] in {"ConfigMap", "Secret", "RayJob", "RayService"}:
                self.store.put(body)
        claims = [body["metadata"]["name"] for body in self.objects if body["kind"] == "PersistentVolumeClaim"]
        self.shared = {name: STATE / "claims" / name for name in claims}
        for folder in self.shared.values():
            folder.mkdir(parents=True)
        self.kubelet = Kubelet(self.store.get, image_environment(), self.shared)
        self.recorded: dict[str, Any] = {}

    def of(self, kind: str, name: str) -> Object:
        """Give an object of the overlay, waits shortened."""
        return next(body for body in self.objects if (body["kind"], body["metadata"]["name"]) == (kind, name))

    def of_kind(self, kind: str) -> list[str]:
        return [body["metadata"]["name"] for body in self.objects if body["kind"] == kind]

    @contextmanager
    def cluster(self, owner: Object, suffix: str) -> Iterator[Operator]:
        """Run the cluster of a RayJob or RayService for the length of a block."""
        with Operator(self.store, self.kubelet, cluster_of(owner, suffix)).running() as operator:
            operator.until(lambda: operator.pods, "the head's pod")
            yield operator

    def start_job_pod(self, job: Object, name: str, attempt: int = 1) -> Pod:
        """Start a pod of a `batch/v1` Job, as its controller does."""
        template = job["spec"]["template"]
        made = {
            "batch.kubernetes.io/job-name": name,
            "batch.kubernetes.io/controller-uid": str(uuid5(NAMESPACE_DNS, name)),
        }
        labels = {**template.get("metadata", {}).get("labels", {}), **made}
        metadata = {"name": f"{name}-{attempt}", "namespace": self.namespace, "labels": labels}
        return self.kubelet.start({"kind": "Pod", "metadata": metadata, "spec": template["spec"]})

    @property
    def namespace(self) -> str:
        return str(self.of("RayService", "retail-api")["metadata"]["namespace"])

    def record(self, section: str, **values: Any) -> None:
        """Keep what happened, for the tests outside."""
        self.recorded.setdefault(section, {}).update(values)
        (STATE / RECORD).write_text(json.dumps(self.recorded, default=str))
        say(f"{section}: {', '.join(values)}")


def say(text: str) -> None:
    """Tell whoever reads the scenario's log."""
    print(f"{time.monotonic() - BEGAN:7.1f} s  {text}", flush=True)


def image_environment() -> dict[str, str]:
    """Give what the last stage of the image sets, with the environment of this test in the place of the image's."""
    found: dict[str, str] = {}
    for instruction in instructions(CONTAINERFILE.read_text()):
        if instruction.name == "FROM":
            found = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        elif instruction.name == "ENV":
            for word in shlex.split(instruction.rest):
                name, _, value = word.partition("=")
                found[name] = Template(value.replace(IN_IMAGE, sys.prefix)).substitute(found)
    return found


@contextmanager
def machine(place: Path) -> Iterator[Machine]:
    """Set the machine up, inside its namespaces, for the length of a block.

    Args:
        place: Folder for all that it leaves.
    """
    namespaces.set_up(place)
    with ExitStack() as stack:
        (STATE / "home").mkdir()
        url = stack.enter_context(Warehouse(STATE / "home").running())
        stack.enter_context(valkey(STATE))
        near = urlsplit(url)
        road = stack.enter_context(Road(near.port or 0).open())
        far = near._replace(netloc=near.netloc.replace(f":{near.port}", f":{road.port}"))
        made = Machine(road, urlunsplit(far), crds.load(None))
        accounts = {"default", *made.of_kind("ServiceAccount")}
        stack.enter_context(api_server.serving(made.store, accounts, made.namespace, STATE, ADDRESS))
        say(f"machine of overlay {OVERLAY} is up, as user {os.geteuid()}")
        yield made
