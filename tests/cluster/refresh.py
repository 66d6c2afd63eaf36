"""Bronze to gold as a driver of its own; prints one JSON line: nodes of every kind of task, hashes, peak memory.

`python refresh.py HOME [--kill KIND] INPUT...`; `--kill KIND` kills a busy Ray worker when the first task of that kind
has ended.
"""

import argparse
import json
import os
import signal
import time
from pathlib import Path

import psutil

from cluster.lakehouse import LakeWriter
from cluster.lease import Lease
from cluster.ray_session import ray_session
from cluster.settings import load_settings
from cluster.storage import Storage
from pipelines import bronze, gold, silver
from pipelines.content_hash import HASHED, content_hash
from pipelines.joins import basket_pairs, customer_monthly
from pipelines.joins.engines import Engines
from pipelines.steps import StepContext


class Killer:
    """A report that kills one worker in the middle of a kind of task."""

    def __init__(self, kind: str | None) -> None:
        self.kind = kind
        self.killed: list[str] = []

    def __call__(self, what: str, done: int, total: int) -> None:
        if what != self.kind or self.killed or not 0 < done < total:
            return
        for process in psutil.process_iter(["cmdline", "pid"]):
            title = " ".join(process.info["cmdline"] or [])
            if title.startswith("ray::") and "Map" in title and "IDLE" not in title:
                os.kill(process.info["pid"], signal.SIGKILL)
                self.killed.append(title)
                return


def peak_kb() -> int:
    """Give this process's own peak; getrusage would count what its parent held before the exec, too."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("home", type=Path)
    parser.add_argument("--kill")
    parser.add_argument("inputs", nargs="+")
    given = parser.parse_args()
    settings = load_settings(home=given.home)
    storage = Storage.of(settings)
    killer = Killer(given.kill)
    with ray_session(settings), Lease.take(storage, f"run-{time.time_ns()}", 600) as lease:
        context = StepContext(settings, LakeWriter(storage, lease), killer)
        ingested, carried = bronze.ingest(context, given.inputs, carry=True)
        results = [ingested, silver.refine(context, carried)]
        with Engines(context) as engines:
            results += [make(context, engines) for make in (gold.build, customer_monthly.build, basket_pairs.build)]
        versions = {table: context.lake.version(table) for table in HASHED}
        print(
            json.dumps(
                {
                    "nodes": {kind: nodes for result in results for kind, nodes in result.nodes.items()},
                    "counts": {result.step: vars(result.counts) for result in results},
                    "hashes": {
                        table: content_hash(context.lake, table, version)
                        for table, version in versions.items()
                        if version is not None
                    },
                    "killed": killer.killed,
                    "peak_kb": peak_kb(),
                }
            )
        )
        storage.remove_tree(storage.scratch_uri(lease.run_id))


if __name__ == "__main__":
    main()
