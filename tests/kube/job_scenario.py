"""The cluster of a RayJob: its tokens, its two groups from nothing to their maximum and back, and the job itself."""

import json
import shutil
import subprocess
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg

from cluster.lease import TABLE as LEASE
from pipelines.sample import generate_sample, run_here
from tests.kube import demand
from tests.kube.auth import knock
from tests.kube.dashboard import ENDED, Dashboard, node_addresses
from tests.kube.machine import Machine
from tests.kube.namespaces import STATE
from tests.kube.operator import Operator, scaled
from tests.kube.pods import Pod
from tests.kube.submitter import submitter_pod
from tests.kube.substitutions import TOKEN

JOB = "retail-daily-refresh"
LINES, SEED = 20_000, 5
CLAIM = "retail-lake"
PYTHON = "python"


def deliver(machine: Machine) -> None:
    """Put a sample into the inbox that the ConfigMap names, on the volume that the pods share."""
    generate_sample(LINES, SEED, STATE / "sample", lambda what, done, total: None, spread=run_here)
    mounted = "/var/lib/retail"
    inbox = machine.of("ConfigMap", "retail-settings")["data"]["RETAIL_INBOX"]
    shutil.copytree(STATE / "sample" / "data", machine.shared[CLAIM] / inbox.removeprefix(mounted).strip("/"))
    machine.record("oracle", **json.loads((STATE / "sample" / "expected.json").read_text()))


def play(machine: Machine, operator: Operator) -> None:
    """Play the whole scenario on a cluster whose head is starting.

    Args:
        machine: With the sample delivered.
        operator: Of the job's cluster.
    """
    migrate = machine.start_job_pod(machine.of("Job", "retail-migrate"), "retail-migrate")
    dashboard = Dashboard(operator.head.address, TOKEN)
    operator.until(lambda: operator.head_is_ready() and dashboard.is_up(), "the head gets ready")
    with ThreadPoolExecutor(3) as aside:
        demanded = aside.submit(_demand, operator)
        knocked = aside.submit(knock, operator.head, TOKEN)
        launched = aside.submit(_launch, machine, operator)
        _grow(machine, operator, demanded)
        _wait_for(migrate, operator)
        machine.record("migrate", code=migrate.containers[migrate.first].returncode, log=migrate.log()[-2000:])
        _refresh(machine, operator, dashboard)
        _release(machine, "spark")
        machine.record("auth", doors=knocked.result())
        launched.result()
        done = demanded.result()
    machine.record("demand", **json.loads(done.stdout.splitlines()[-1]), addresses=operator.addresses)


def finish(machine: Machine, operator: Operator) -> None:
    """Run the job once more; wait until no worker is left, and keep what the operator saw."""
    _refresh_again(machine, operator, Dashboard(operator.head.address, TOKEN))
    operator.until(lambda: not any(operator.sizes[-1].values()), "both groups go back to no pod")
    machine.record("job_sizes", **scaled(operator))


def _demand(operator: Operator) -> "subprocess.CompletedProcess[str]":
    """Ask for more than `etl` may have, and for one node of `spark`."""
    script = Path(demand.__file__)
    etl = next(group for group in operator.cluster["spec"]["workerGroupSpecs"] if group["groupName"] == "etl")
    cpus = int(etl.get("resources", {}).get("CPU", 1))
    tasks = (etl["maxReplicas"] + 2) * cpus
    done = operator.head.run(PYTHON, str(script), "/var/lib/retail", str(tasks), timeout_s=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def _grow(machine: Machine, operator: Operator, demanded: "Future[Any]") -> None:
    """Wait for both groups at their maximum; then let `etl` go, while `spark` stays held."""
    wanted = {group["groupName"]: group["maxReplicas"] for group in operator.cluster["spec"]["workerGroupSpecs"]}

    def grown() -> bool:
        assert not demanded.done(), demanded.result()
        return bool(operator.sizes and operator.sizes[-1] == wanted)

    operator.until(grown, f"the groups grow to {wanted}")
    machine.record("grown", sizes=operator.sizes[-1])
    _release(machine, "etl")
    operator.until(lambda: operator.size("etl") == 0, "etl goes back to no pod")


def _launch(machine: Machine, operator: Operator) -> None:
    """Have the CronJob's pod make a RayJob, and a second pod of the same Job make it again."""
    schedule = machine.of("CronJob", JOB)["spec"]["jobTemplate"]
    codes, logs = [], []
    for attempt in (1, 2):
        pod = machine.start_job_pod(schedule, f"{JOB}-29400000", attempt)
        _wait_for(pod, operator)
        codes.append(pod.containers[pod.first].returncode)
        logs.append(pod.log())
    rendered = machine.of_kind("RayJob")
    made = [body for body in machine.store.all("RayJob") if body["metadata"]["name"] not in rendered]
    machine.record("launch", codes=codes, logs=logs, made=made)


def _release(machine: Machine, kind: str) -> None:
    (machine.shared[CLAIM] / f"release-{kind}").touch()


def _refresh(machine: Machine, operator: Operator, dashboard: Dashboard) -> None:
    """Submit the RayJob as KubeRay does, and a second one while it holds the lake's lease."""
    job = machine.of("RayJob", JOB)
    before = len(operator.sizes)
    submitter = machine.kubelet.start(submitter_pod(job, operator.cluster, f"{JOB}-1"))
    lease = machine.shared[CLAIM] / "lake" / LEASE
    operator.until(lambda: submitter.has_ended() or lease.exists(), "the job takes the lake's lease")
    dashboard.submit(job["spec"]["entrypoint"], f"{JOB}-beside")
    _wait_for(submitter, operator)
    operator.until(lambda: dashboard.status(f"{JOB}-beside") in ENDED, "the job beside it ends")
    machine.record(
        "job",
        status=dashboard.status(f"{JOB}-1"),
        submitter={"code": submitter.containers[submitter.first].returncode, "log": submitter.log()[-6000:]},
        log=dashboard.logs(f"{JOB}-1")[-6000:],
        beside={"status": dashboard.status(f"{JOB}-beside"), "log": dashboard.logs(f"{JOB}-beside")[-3000:]},
        most_etl=max(sizes["etl"] for sizes in operator.sizes[before:]),
        warehouse=warehouse_figures(machine.warehouse_url),
        addresses=operator.addresses,
        nodes=node_addresses(dashboard),
    )


def _refresh_again(machine: Machine, operator: Operator, dashboard: Dashboard) -> None:
    """Run the same job once more: all its inputs are ingested."""
    before = warehouse_figures(machine.warehouse_url)
    dashboard.submit(machine.of("RayJob", JOB)["spec"]["entrypoint"], f"{JOB}-2")
    operator.until(lambda: dashboard.status(f"{JOB}-2") in ENDED, "the second run ends")
    after = warehouse_figures(machine.warehouse_url)
    log = dashboard.logs(f"{JOB}-2")[-3000:]
    machine.record("again", status=dashboard.status(f"{JOB}-2"), log=log, before=before, after=after)


def _wait_for(pod: Pod, operator: Operator) -> None:
    operator.until(pod.has_ended, f"pod {pod.name} ends")


def warehouse_figures(url: str) -> dict[str, Any]:
    """Give what was published, to compare with the oracle."""
    with psycopg.connect(url) as connection:
        query = """
            SELECT count(*), count(*) FILTER (WHERE is_sale), sum(total_amount) FILTER (WHERE is_sale)::text,
                   count(*) FILTER (WHERE customer_key = -1), count(DISTINCT invoice_no)
            FROM gold.fact_sales
        """
        facts = connection.execute(query).fetchone()
        publications = connection.execute("SELECT count(*) FROM ops.publications").fetchone()
        steps = connection.execute(
            "SELECT steps FROM ops.runs WHERE status = 'succeeded' ORDER BY started_at"
        ).fetchall()
    assert facts and publications
    names = ("accepted", "sale_lines", "sale_revenue", "guest_lines", "invoices")
    return dict(zip(names, facts, strict=True)) | {"publications": publications[0], "steps": [one for (one,) in steps]}
