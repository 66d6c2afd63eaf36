"""Plays scenarios inside the namespaces: `python -m tests.kube.scenario FOLDER NAME`; FOLDER/record.json says what was.

NAME is `scaling` (the job's cluster, then the service's, on what the job published) or `spark` (RayDP).
"""

import sys
import traceback
from contextlib import ExitStack
from pathlib import Path

from tests.kube import job_scenario, service_scenario, spark_scenario
from tests.kube.machine import Machine, machine


def scaling(here: Machine) -> None:
    """Play the job's scenario, and in the same namespace the service's: its head starts during the job's second run."""
    service_scenario.name_valkey(here)
    with ExitStack() as stack:
        jobs = stack.enter_context(here.cluster(here.of("RayJob", job_scenario.JOB), "job01"))
        job_scenario.play(here, jobs)
        service = stack.enter_context(here.cluster(here.of("RayService", service_scenario.SERVICE), "api01"))
        job_scenario.finish(here, jobs)
        service_scenario.play(here, service)


def spark(here: Machine) -> None:
    """Play the scenario of Spark."""
    with here.cluster(here.of("RayJob", spark_scenario.JOB), "spark1") as operator:
        spark_scenario.play(here, operator)


def main(place: Path, name: str) -> None:
    with machine(place) as here:
        try:
            job_scenario.deliver(here)
            {"scaling": scaling, "spark": spark}[name](here)
        except BaseException:
            here.record("error", trace=traceback.format_exc())
            raise


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
