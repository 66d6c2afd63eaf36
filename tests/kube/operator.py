"""The operator's part: brings the pods of one RayCluster to what its manifest and the autoscaler ask for.

Every half second: what the autoscaler names is deleted, pods that ended are replaced, and each group gets the pods that
`replicas` asks for within its minimum and maximum. Records the sizes of all groups at every round.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.kube.api_server import Store
from tests.kube.kuberay import GCS_PORT, HEAD_GROUP, head_pod, head_service, worker_pod
from tests.kube.namespaces import add_host
from tests.kube.pods import Kubelet, Pod

Object = dict[str, Any]
ROUND_S = POLL_S = 0.5
HEAD_PORTS = (GCS_PORT, 8265, 10001)
"""GCS, dashboard and client server; the last one opens, or else ends the head, once the head's node is registered."""


class Operator:
    """The pods of one cluster."""

    def __init__(self, store: Store, kubelet: Kubelet, cluster: Object) -> None:
        """Put the cluster into the API server; `running` starts it."""
        self.store, self.kubelet = store, kubelet
        self.cluster_name = store.put(cluster)["metadata"]["name"]
        self.pods: dict[str, Pod] = {}
        self.made = 0
        self.sizes: list[dict[str, int]] = []
        """Pods of each worker group at every round."""
        self.asked: list[dict[str, int]] = []
        """Pods that the autoscaler asked for, at every round."""
        self.addresses: dict[str, str] = {}
        """Group of every address that a pod ever had."""
        self.head_was_ready = False
        self.ended: list[str] = []
        """Pods that ended by themselves, with the last words of their logs; each was made anew."""
        self._stopping: list[threading.Thread] = []
        self._end = threading.Event()
        self._error: BaseException | None = None

    @property
    def cluster(self) -> Object:
        return self.store.get("RayCluster", self.cluster_name)

    @property
    def head(self) -> Pod:
        return next(pod for pod in self.of_group(HEAD_GROUP))

    def of_group(self, group: str) -> list[Pod]:
        """Give the pods of a group that are not being deleted."""
        return [pod for pod in list(self.pods.values()) if pod.body["metadata"]["labels"]["ray.io/group"] == group]

    def serving(self) -> list[Pod]:
        """Give the pods that the serve service selects, ready or not."""
        return [pod for pod in list(self.pods.values()) if pod.body["metadata"]["labels"].get("ray.io/serve") == "true"]

    def size(self, group: str) -> int:
        return len(self.of_group(group))

    @contextmanager
    def running(self) -> "Iterator[Operator]":
        """Start the head and reconcile for the length of a block; then end all pods at once."""
        thread = threading.Thread(target=self._reconcile_for_ever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._end.set()
            thread.join()
            for stopping in self._stopping:
                stopping.join()
            for pod in self.pods.values():
                pod.kill()

    def until(self, condition: Callable[[], Any], what: str, deadline_s: float = 240) -> Any:
        """Poll for what must become true; give it."""
        deadline = time.monotonic() + deadline_s
        while True:
            if self._error:
                raise self._error
            if value := condition():
                return value
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what}; sizes {self.sizes[-1:]}; {self.ended}")
            time.sleep(POLL_S)

    def _reconcile_for_ever(self) -> None:
        try:
            self._create(head_pod(self.cluster, f"{self.cluster_name}-head"))
            add_host(self.head.address, head_service(self.cluster), head_service(self.cluster).partition(".")[0])
            while not self._end.wait(ROUND_S):
                self._reconcile(self.cluster)
        except BaseException as error:  # noqa: BLE001 - the thread's edge; `until` raises it
            self._error = error

    def _reconcile(self, cluster: Object) -> None:
        groups = cluster["spec"].get("workerGroupSpecs", [])
        for name, pod in list(self.pods.items()):
            if pod.has_ended():
                self.ended.append(f"{name}: {pod.log()[-2000:]}")
                if name == f"{self.cluster_name}-head":
                    self._replace_head(pod)
                else:
                    self._delete(name)
        for group in groups:
            for name in group.get("scaleStrategy", {}).get("workersToDelete") or []:
                self._delete(name)
            wanted = min(max(group["replicas"], group["minReplicas"]), group["maxReplicas"])
            while self.head_is_ready() and self.size(group["groupName"]) < wanted:
                self.made += 1
                name = f"{self.cluster_name}-{group['groupName']}-worker-{self.made}"
                self._create(worker_pod(cluster, group["groupName"], name))
        self.asked.append({group["groupName"]: group["replicas"] for group in groups})
        self.sizes.append({group["groupName"]: self.size(group["groupName"]) for group in groups})

    def head_is_ready(self) -> bool:
        """Whether the head takes workers and jobs: a worker's init container waits for that."""
        try:
            for port in HEAD_PORTS:
                socket.create_connection((self.head.address, port), timeout=2).close()
        except OSError:
            return False
        self.head_was_ready = True
        return True

    def _replace_head(self, pod: Pod) -> None:
        """Make the head anew at its address: a machine that is busy enough exceeds the 30 s that Ray gives a raylet."""
        if self.head_was_ready:
            raise RuntimeError(f"the head ended: {pod.log()[-4000:]} {pod.log('autoscaler')[-4000:]}")
        pod.kill()
        self._create(pod.body, pod.address)

    def _create(self, body: Object, address: str = "") -> None:
        pod = self.kubelet.start(body, address)
        self.pods[pod.name] = pod
        self.addresses[pod.address] = body["metadata"]["labels"]["ray.io/group"]
        containers = [
            {"name": name, "state": {"running": {}}, "ready": True, "restartCount": 0} for name in pod.containers
        ]
        self.store.put({**body, "status": {"phase": "Running", "podIP": pod.address, "containerStatuses": containers}})

    def _delete(self, name: str) -> None:
        pod = self.pods.pop(name, None)
        if pod is None:
            return
        self.store.put({**pod.body, "metadata": pod.body["metadata"] | {"deletionTimestamp": "now"}, "status": {}})

        def stop() -> None:
            pod.stop()
            self.store.remove("Pod", name)

        thread = threading.Thread(target=stop, daemon=True)
        thread.start()
        self._stopping.append(thread)


def scaled(operator: Operator, since: int = 0) -> Object:
    """Give what the operator saw, for the tests outside.

    Args:
        operator: Of the cluster.
        since: First round of which the least sizes are told: before it, the first pods are being made.
    """
    groups = operator.cluster["spec"]["workerGroupSpecs"]
    bounds = {group["groupName"]: [group["minReplicas"], group["maxReplicas"]] for group in groups}
    return {
        "bounds": bounds,
        "rounds": len(operator.sizes),
        "last": operator.sizes[-1],
        "most": {name: max(sizes[name] for sizes in operator.sizes) for name in bounds},
        "least": {name: min(sizes[name] for sizes in operator.sizes[since:]) for name in bounds},
        "most_asked": {name: max(asked[name] for asked in operator.asked) for name in bounds},
        "ended": operator.ended,
    }
