"""Spark through RayDP on the cluster of the RayJob that makes the pairs: executor on `spark`, master on the head."""

from tests.kube.dashboard import ENDED, Dashboard, node_addresses
from tests.kube.job_scenario import JOB as REFRESH
from tests.kube.machine import Machine
from tests.kube.operator import Operator, scaled
from tests.kube.substitutions import TOKEN

JOB = "retail-basket-pairs"


def play(machine: Machine, operator: Operator) -> None:
    """Fill the lake, then make the pairs on Spark; both groups go back to nothing."""
    migrate = machine.start_job_pod(machine.of("Job", "retail-migrate"), "retail-migrate")
    dashboard = Dashboard(operator.head.address, TOKEN)
    operator.until(lambda: operator.head_is_ready() and dashboard.is_up(), "the head gets ready")
    operator.until(migrate.has_ended, "the migration ends")
    _run(machine, operator, machine.of("RayJob", REFRESH)["spec"]["entrypoint"], "refresh")
    operator.until(lambda: not any(operator.sizes[-1].values()), "the groups go back to no pod")
    _run(
        machine, operator, f"{machine.of('RayJob', JOB)['spec']['entrypoint']} --join spark --min-support 0.01", "pairs"
    )
    operator.until(lambda: not any(operator.sizes[-1].values()), "the groups go back to no pod")
    machine.record("left", **scaled(operator), actors=_actors(dashboard, operator))


def _actors(dashboard: Dashboard, operator: Operator) -> dict[str, list[str]]:
    """Give the groups on whose nodes the actors of each class ran."""
    nodes = node_addresses(dashboard)
    found: dict[str, set[str]] = {}
    for actor in dashboard.ask("/api/v0/actors?limit=1000").json["data"]["result"]["result"]:
        if actor["node_id"] in nodes:
            found.setdefault(actor["class_name"], set()).add(operator.addresses[nodes[actor["node_id"]]])
    return {name: sorted(groups) for name, groups in found.items()}


def _run(machine: Machine, operator: Operator, entrypoint: str, job_id: str) -> None:
    dashboard, before = Dashboard(operator.head.address, TOKEN), len(operator.sizes)
    dashboard.submit(entrypoint, job_id)
    operator.until(lambda: dashboard.status(job_id) in ENDED, f"the job {job_id} ends", deadline_s=480)
    sizes = operator.sizes[before:]
    machine.record(
        job_id,
        status=dashboard.status(job_id),
        log=dashboard.logs(job_id)[-6000:],
        most={group: max(size[group] for size in sizes) for group in sizes[-1]},
    )
