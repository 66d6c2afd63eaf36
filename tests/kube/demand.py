"""Asks a cluster for nodes, inside its head: `python demand.py FOLDER ETL_TASKS`.

The tasks of `etl` need a CPU each; one task asks for what an executor of Spark asks: no CPU, one of `spark`. Each runs
until FOLDER holds the file `release-etl` or `release-spark`. Prints one JSON line: the address of every task's node,
and what ran on the node of `spark`.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import ray
from ray.util.state import list_actors, list_tasks


@ray.remote  # type: ignore[untyped-decorator]  # Ray is untyped here
def hold(kind: str, folder: str) -> tuple[str, str]:
    """Occupy a node until told to end; give its address and id."""
    while not Path(folder, f"release-{kind}").exists():
        time.sleep(0.1)
    return ray.util.get_node_ip_address(), ray.get_runtime_context().get_node_id()


def seen_on(node_id: str) -> list[str]:
    """Name all tasks and actors that ran on a node."""
    where = [("node_id", "=", node_id)]
    found: list[Any] = [*list_tasks(filters=where, limit=1000), *list_actors(filters=where, limit=1000)]
    return sorted({getattr(one, "class_name", None) or one.name for one in found})


def main(folder: str, etl_tasks: int) -> None:
    ray.init()
    spark = hold.options(num_cpus=0, resources={"spark": 1}).remote("spark", folder)
    etl = [hold.options(num_cpus=1).remote("etl", folder) for _ in range(etl_tasks)]
    etl_addresses = sorted({address for address, _ in ray.get(etl)})
    address, node_id = ray.get(spark)
    print(json.dumps({"etl": etl_addresses, "spark": [address], "ran_on_spark": seen_on(node_id)}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
