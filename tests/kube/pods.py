"""A kubelet as small as our manifests allow: runs the containers of a pod as processes in namespaces of their own.

A container has its own processes, mounts and /tmp; the containers of a pod share its address and its volumes. Volumes,
environment, command, service account, grace period and read-only root are the pod's. Not its user, its capabilities and
its limits: Ray sees the machine's memory, and puts the object store into its temp folder. Knows no Ray.
"""

import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.kube.namespaces import ADDRESS, STATE, add_host, add_network, make_mount_point, remove_network

Object = dict[str, Any]
Lookup = Callable[[str, str], Object]
"""Kind and name to object; KeyError where there is none."""
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
PROJECT = Path(__file__).parents[2]
VARIABLE = re.compile(r"\$\((\w+)\)")
KUBERNETES = {
    "KUBERNETES_SERVICE_HOST": ADDRESS, "KUBERNETES_SERVICE_PORT": "6443", "KUBERNETES_SERVICE_PORT_HTTPS": "6443",
}  # fmt: skip


@dataclass
class Pod:
    """A pod that runs."""

    body: Object
    address: str
    folder: Path
    containers: "dict[str, subprocess.Popen[bytes]]" = field(default_factory=dict)
    environments: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.body["metadata"]["name"])

    @property
    def first(self) -> str:
        return str(self.body["spec"]["containers"][0]["name"])

    def has_ended(self) -> bool:
        return any(process.poll() is not None for process in self.containers.values())

    def log(self, container: str = "") -> str:
        return (self.folder / f"{container or self.first}.log").read_text(errors="replace")

    def inside(self, container: str = "") -> list[str]:
        """Give the command that runs another one inside a container, as `kubectl exec`."""
        child = self._first_process(container or self.first)
        return ["nsenter", f"--target={child.pid}", "--mount", "--pid", "--net", "--ipc", "--uts"]

    def run(
        self, *command: str, timeout_s: float = 300, environment: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command inside the first container, with its environment and what is given here."""
        return subprocess.run(
            [*self.inside(), *command], env={**self.environments[self.first], **(environment or {})},
            capture_output=True, text=True, timeout=timeout_s,
        )  # fmt: skip

    def _first_process(self, container: str) -> psutil.Process:
        process = psutil.Process(self.containers[container].pid)
        while not (children := process.children()):
            time.sleep(0.02)  # unshare has not forked yet
        return children[0]

    def stop(self) -> None:
        """End it as the kubelet does: preStop, SIGTERM, and SIGKILL after the grace period."""
        deadline = time.monotonic() + self.body["spec"].get("terminationGracePeriodSeconds", 30)
        for container in self.body["spec"]["containers"]:
            self._stop(container, deadline)
        remove_network(self.name, self.address)

    def kill(self) -> None:
        """End it at once, with all its processes."""
        for process in self.containers.values():
            process.kill()  # unshare --kill-child takes the namespace with it
            process.wait()
        remove_network(self.name, self.address)

    def _stop(self, container: Object, deadline: float) -> None:
        process = self.containers[container["name"]]
        if process.poll() is None:
            hook = container.get("lifecycle", {}).get("preStop", {}).get("exec")
            if hook:
                environment = self.environments[container["name"]]
                subprocess.run([*self.inside(container["name"]), *hook["command"]], env=environment, timeout=60)
            os.kill(self._first_process(container["name"]).pid, signal.SIGTERM)
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Kubelet:
    """Starts pods."""

    def __init__(self, lookup: Lookup, image: Mapping[str, str], shared: Mapping[str, Path]) -> None:
        """Take what it needs.

        Args:
            lookup: ConfigMaps and Secrets.
            image: Environment that the image brings.
            shared: Folder of each persistent volume claim.
        """
        self.lookup, self.image, self.shared = lookup, image, shared
        self._addresses = (f"10.88.0.{number}" for number in range(2, 250))
        self._one_at_a_time = threading.Lock()

    def start(self, body: Object, address: str = "") -> Pod:
        """Start a pod's containers, at an address that is free again or a new one; it runs when this returns."""
        with self._one_at_a_time:
            pod = Pod(body, address or next(self._addresses), STATE / "pods" / body["metadata"]["name"])
            pod.folder.mkdir(parents=True, exist_ok=True)
            add_network(pod.name, pod.address)
            if not address:
                add_host(pod.address, pod.name)  # Java asks for its own machine's name
            for container in body["spec"]["containers"]:
                self._start(pod, container)
        return pod

    def _start(self, pod: Pod, container: Object) -> None:
        environment = self.environment(pod, container)
        words = [*container.get("command", []), *container.get("args", [])]
        command = [_expand(word, environment) for word in words]
        script = pod.folder / f"{container['name']}.sh"
        script.write_text("\n".join([*self._mounts(pod, container), f"exec {shlex.join(command)}", ""]))
        kinds = ("--pid", "--fork", "--kill-child", "--mount", "--ipc", "--uts")
        with (pod.folder / f"{container['name']}.log").open("wb") as log:
            pod.containers[container["name"]] = subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{pod.name}", "unshare", *kinds, "sh", "-e", str(script)],
                env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        pod.environments[container["name"]] = environment

    def environment(self, pod: Pod, container: Object) -> dict[str, str]:
        """Give a container's variables: the image's, Kubernetes' own, envFrom, env."""
        found = {**self.image, **KUBERNETES, "HOSTNAME": pod.name}
        for source in container.get("envFrom", []):
            for field_name, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if field_name in source:
                    values = _data(self.lookup(kind, source[field_name]["name"]))
                    found |= {source.get("prefix", "") + name: value for name, value in values.items()}
        for variable in container.get("env", []):
            found[variable["name"]] = (
                self._value_from(pod, variable["valueFrom"]) if "valueFrom" in variable
                else _expand(str(variable.get("value", "")), found)
            )  # fmt: skip
        return found

    def _value_from(self, pod: Pod, source: Object) -> str:
        if "fieldRef" in source:
            return _field(pod, source["fieldRef"]["fieldPath"])
        kind, reference = ("Secret", "secretKeyRef") if "secretKeyRef" in source else ("ConfigMap", "configMapKeyRef")
        wanted = source[reference]
        return _data(self.lookup(kind, wanted["name"]))[wanted["key"]]

    def _mounts(self, pod: Pod, container: Object) -> list[str]:
        """Write the commands that make a container's view of the disk."""
        kept = [path for path in (PROJECT, Path(sys.prefix), Path(sys.base_prefix)) if path.is_relative_to("/tmp")]
        lines = ["mount -t proc proc /proc", f"hostname {pod.name}"]
        for number, path in enumerate(kept):
            keep = STATE / "keep" / str(number)
            keep.mkdir(parents=True, exist_ok=True)
            lines.append(f"mount --rbind {shlex.quote(str(path))} {keep}")
        lines.append("mount -t tmpfs -o mode=1777 tmpfs /tmp")
        volumes = {volume["name"]: volume for volume in pod.body["spec"].get("volumes", [])}
        # The outer mounts first, as the kubelet does: /tmp before /tmp/ray.
        for mount in sorted(container.get("volumeMounts", []), key=lambda mount: str(mount["mountPath"])):
            lines += self._mount(pod, volumes[mount["name"]], mount)
        for number, path in enumerate(kept):  # on top of a volume at /tmp, too
            target = shlex.quote(str(path))
            lines += [f"mkdir -p {target}", f"mount --rbind {STATE}/keep/{number} {target}"]
        if pod.body["spec"].get("automountServiceAccountToken", True):
            account = STATE / "accounts" / pod.body["spec"].get("serviceAccountName", "default")
            ACCOUNT.mkdir(parents=True, exist_ok=True)
            lines.append(f"mount --bind {account} {ACCOUNT}")
        if container.get("securityContext", {}).get("readOnlyRootFilesystem"):
            lines.append("mount -o remount,bind,ro /")
        return [*lines, f"cd {shlex.quote(container.get('workingDir', '/tmp'))}"]

    def _mount(self, pod: Pod, volume: Object, mount: Object) -> list[str]:
        path = Path(mount["mountPath"])
        if not path.is_relative_to("/tmp"):
            make_mount_point(path)
        target = shlex.quote(str(path))
        if volume.get("emptyDir", {}).get("medium") == "Memory":
            size = f",size={_bytes(volume['emptyDir']['sizeLimit'])}" if "sizeLimit" in volume["emptyDir"] else ""
            return [f"mkdir -p {target}", f"mount -t tmpfs -o mode=1777{size} tmpfs {target}"]
        source = self._source(pod, volume) / mount.get("subPath", "")
        source.mkdir(parents=True, exist_ok=True)
        lines = [f"mkdir -p {target}", f"mount --bind {shlex.quote(str(source))} {target}"]
        return [*lines, f"mount -o remount,bind,ro {target}"] if mount.get("readOnly") else lines

    def _source(self, pod: Pod, volume: Object) -> Path:
        """Give the folder behind a volume, filled."""
        if "persistentVolumeClaim" in volume:
            return self.shared[volume["persistentVolumeClaim"]["claimName"]]
        folder = pod.folder / "volumes" / str(volume["name"])
        folder.mkdir(parents=True, exist_ok=True)
        if "emptyDir" in volume:
            folder.chmod(0o1777)
        elif "configMap" in volume:
            for name, text in _data(self.lookup("ConfigMap", volume["configMap"]["name"])).items():
                (folder / name).write_text(text)
        else:
            raise NotImplementedError(f"pod {pod.name}: this kubelet has no volume such as {volume}")
        return folder


def _field(pod: Pod, path: str) -> str:
    metadata = pod.body["metadata"]
    values: dict[str, str] = {
        "status.podIP": pod.address,
        "metadata.name": pod.name,
        "metadata.namespace": metadata["namespace"],
    }
    values |= {f"metadata.labels['{key}']": str(value) for key, value in metadata.get("labels", {}).items()}
    return values[path]


def _data(body: Object) -> dict[str, str]:
    return {name: str(value) for name, value in (body.get("stringData") or body.get("data") or {}).items()}


def _expand(text: str, environment: Mapping[str, str]) -> str:
    """Replace `$(NAME)`; an unknown one stays, as in Kubernetes."""
    return VARIABLE.sub(lambda match: environment.get(match[1], match[0]), text)


def _bytes(quantity: Any) -> int:
    from ray.autoscaler._private.kuberay.utils import parse_quantity

    return int(parse_quantity(quantity))
