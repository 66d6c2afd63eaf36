"""The cluster of the RayService: load takes replicas and nodes to their maximum, calm brings them back."""

from functools import partial
from typing import Any

import yaml

from tests.kube.backing import count_keys
from tests.kube.dashboard import Dashboard
from tests.kube.load import Load
from tests.kube.machine import Machine, say
from tests.kube.namespaces import ADDRESS, add_host
from tests.kube.operator import Operator, scaled
from tests.kube.substitutions import TOKEN

SERVICE = "retail-api"
GROUP = "serve"
APPLICATIONS = "/api/serve/applications/"
LIGHT_CLIENTS = 1
FAR_S = 0.03
"""How much later the warehouse answers: a request goes there about ten times."""
PATHS = ("/api/v1/sales?limit=20", "/api/v1/datamart/overview", "/api/v1/datamart/revenue")


def name_valkey(machine: Machine) -> None:
    """Let the pods find Valkey under the name that the manifest gives."""
    options = machine.of("RayService", SERVICE)["spec"]["rayClusterConfig"]["gcsFaultToleranceOptions"]
    host = options["redisAddress"].rpartition("://")[2].partition(":")[0]
    add_host(ADDRESS, host)


def play(machine: Machine, operator: Operator) -> None:
    """Play the scenario on a cluster whose head is starting."""
    dashboard = Dashboard(operator.head.address, TOKEN)
    operator.until(lambda: operator.head_is_ready() and dashboard.is_up(), "the head gets ready")
    config = yaml.safe_load(machine.of("RayService", SERVICE)["spec"]["serveConfigV2"])
    operator.until(lambda: _put(dashboard, config), "the first PUT of serveConfigV2")
    least, most, target = replicas_of(config)
    watched = Watched(dashboard, operator)
    operator.until(lambda: watched.is_at(least), f"{least} replica(s) at first")
    load = Load(operator.serving, PATHS, clients=LIGHT_CLIENTS)
    machine.road.delay_s = FAR_S
    with load.running(target * most):
        operator.until(lambda: load.answers[200] > 0, "the first answer")
        load.pause_s = 0.0
        for count in range(least + 1, most + 1):
            # Far more than one less takes, so that Serve decides at once; step by step, so that none is flooded.
            load.clients = int(target * (count - 0.3))
            operator.until(partial(_has_grown, watched, load, count), f"load takes it to {count}")
        grown = {"replicas": watched.running, "nodes": operator.size(GROUP)}
        operator.until(lambda: len(load.by_pod) >= most, "each of the nodes answers")
        load.clients, load.pause_s = LIGHT_CLIENTS, 0.3
        operator.until(lambda: watched.is_at(least), f"calm brings it back to {least}")
        calm = load.answers[200]
        operator.until(lambda: load.answers[200] > calm + 5, "it still answers")
    machine.record("service_sizes", **scaled(operator, since=first_full(operator)))
    machine.record(
        "service",
        grown=grown, replicas=[least, most], seen=watched.seen, last=watched.running, last_nodes=operator.size(GROUP),
        sent=load.sent, answers=load.answers, by_pod=load.by_pod, failed=load.failures,
        kept_in_valkey=count_keys(), asked=sorted(set(machine.store.asked)),
    )  # fmt: skip


def _has_grown(watched: "Watched", load: Load, count: int) -> bool:
    return watched.is_at(count) and len(load.endpoints) >= count


def first_full(operator: Operator) -> int:
    """Give the first round in which every group had its minimum."""
    groups = operator.cluster["spec"]["workerGroupSpecs"]
    return next(
        at
        for at, sizes in enumerate(operator.sizes)
        if all(sizes[one["groupName"]] >= one["minReplicas"] for one in groups)
    )


class Watched:
    """The replicas of the service, as Serve itself counts them."""

    def __init__(self, dashboard: Dashboard, operator: Operator) -> None:
        self.dashboard, self.operator = dashboard, operator
        self.running = 0
        self.seen: list[int] = []

    def is_at(self, count: int) -> bool:
        """Whether that many replicas run, on that many nodes of their group."""
        answer = self.dashboard.ask(APPLICATIONS, timeout_s=20)
        if answer.status != 200:
            return False
        self.running = sum(
            replica["state"] == "RUNNING"
            for application in answer.json["applications"].values()
            for deployment in application["deployments"].values()
            for replica in deployment["replicas"]
        )
        if not self.seen or self.seen[-1] != self.running:
            self.seen.append(self.running)
            say(f"replicas {self.running}, nodes {self.operator.size(GROUP)}")
        return self.running == count == self.operator.size(GROUP)


def _put(dashboard: Dashboard, config: Any) -> bool:
    """Hand Serve its configuration as the operator does; it is idempotent and repeated until it is taken."""
    answer = dashboard.ask(APPLICATIONS, config, method="PUT", timeout_s=60)
    if answer.status not in {0, 200}:
        say(f"PUT: {answer.status} {answer.text[-500:]}")
    assert answer.status not in {400, 401, 403, 404}, answer
    return answer.status == 200


def replicas_of(config: Any) -> tuple[int, int, int]:
    """Give the least and most replicas of the one deployment, and the requests at once that each is to have."""
    [application] = config["applications"]
    [deployment] = application["deployments"]
    scaling = deployment["autoscaling_config"]
    return scaling["min_replicas"], scaling["max_replicas"], scaling["target_ongoing_requests"]
