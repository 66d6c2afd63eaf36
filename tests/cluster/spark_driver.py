"""A run's driver for the tests of Spark: a Ray of its own, and a Spark that starts, runs and stops on command.

Speaks in lines of base64 pickles: `python -m tests.cluster.spark_driver <home>`.
"""

import base64
import os
import pickle
import sys
from pathlib import Path
from typing import Any

from cluster.errors import PlatformError
from cluster.ray_session import ray_session
from cluster.settings import load_settings
from cluster.storage import Storage
from pipelines.joins.join import Join
from pipelines.joins.spark_engine import SparkProcess


def pack(message: Any) -> bytes:
    return base64.b64encode(pickle.dumps(message)) + b"\n"


def unpack(line: bytes) -> Any:
    return pickle.loads(base64.b64decode(line))


class Spark:
    """The commands."""

    def __init__(self, home: Path) -> None:
        self.settings = load_settings(home=home, num_cpus=4, lake_uri=str(home / "a lake"))
        self.process: SparkProcess | None = None

    def start(self, extra: dict[str, str]) -> dict[str, Any]:
        said: list[str] = []
        process = SparkProcess(self.settings, Storage.of(self.settings), said.append, extra)
        self.process = process.__enter__()
        return {"pid": process.pid, "ui_url": process.ui_url, "said": said}

    def run(self, join: Join, name: str) -> Any:
        assert self.process
        told: list[tuple[str, int, int]] = []
        try:
            return self.process.run(join, name, lambda *told_now: told.append(told_now)), told
        except PlatformError as error:
            return error, told

    def stop(self) -> None:
        if self.process:
            self.process.__exit__(None, None, None)
        self.process = None

    def left(self) -> dict[str, Any]:
        import ray
        from ray._private.internal_api import memory_summary
        from ray._private.state import actors

        return {
            "actors": [actor["ActorClassName"] for actor in actors().values() if actor["State"] != "DEAD"],
            "objects": memory_summary(ray.get_runtime_context().gcs_address, stats_only=True),
            "cpus": ray.available_resources().get("CPU", 0),
        }


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    spark = Spark(Path(sys.argv[1]))
    with ray_session(spark.settings):
        for line in sys.stdin.buffer:
            name, *arguments = unpack(line)
            answers.write(pack(getattr(spark, name)(*arguments)))
            answers.flush()
        spark.stop()


if __name__ == "__main__":
    main()
