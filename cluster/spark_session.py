"""Starts and stops Spark on the Ray that this process has joined, through RayDP; knows no join.

With pipelines/joins it is the only room that knows RayDP and pyspark. Tables cross between Ray and Spark as files of
the lake, never as frames in memory, so RayDP can be replaced here by any other way to start a Spark.
"""

import importlib.util
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.errors import ConfigurationError
from cluster.java import MAJOR, java_on_path
from cluster.settings import Settings, child_environment

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

APP = "retail"
OPENED = (
    "io", "lang", "lang.invoke", "lang.reflect", "math", "net", "nio", "text", "time", "util", "util.concurrent",
    "util.concurrent.atomic",
)  # fmt: skip
OPENED_SUN = ("nio.ch", "nio.cs", "security.action", "util.calendar")
JAVA_OPTIONS = " ".join(
    f"--add-opens=java.base/{package}=ALL-UNNAMED"
    for package in [f"java.{name}" for name in OPENED] + [f"sun.{name}" for name in OPENED_SUN]
)
"""What Spark and RayDP reach into under Java 17; without java.math an executor dies when it hands over a decimal."""
JARS = {"s3://": "hadoop-aws", "gs://": "gcs-connector", "abfss://": "hadoop-azure"}
FEWEST_PARTITIONS = 64
PARTITIONS_PER_CORE = 10
JVM_END_S = 15
MASTER_SHARE = "0.01"
"""Share of a node's one unit of its resource that a master takes: several runs on one cluster do not wait for it."""


@dataclass(frozen=True)
class ExecutorBounds:
    """How many executors Spark keeps, starts with and may have, and how many of Ray's CPUs each reserves."""

    least: int
    initial: int
    most: int
    cpus: int

    def __str__(self) -> str:
        """Give the range for people."""
        return f"{self.least} to {self.most}" if self.least < self.most else str(self.most)


def executor_bounds(settings: Settings, cpus: int) -> ExecutorBounds:
    """Fit the executors that are set into a Ray.

    One CPU is left for Ray's own tasks and for placing RayDP's master: tasks that wait for an executor's CPU would wait
    for as long as Spark lives. A Ray too small for that gets one executor that reserves nothing. Where executors have
    nodes of their own (`spark_executor_resource`) they are as many as set: the autoscaler brings the nodes.

    Args:
        settings: Least, initial and most executors, their cores and their resource.
        cpus: CPUs of the Ray.

    Returns:
        The bounds, least ≤ initial ≤ most, most ≥ 1.
    """
    own_nodes = bool(settings.spark_executor_resource)
    room = (cpus - 1) // settings.spark_executor_cores
    most = settings.spark_max_executors if own_nodes else max(1, min(settings.spark_max_executors, room))
    least = min(settings.spark_min_executors, most)
    initial = min(max(settings.spark_initial_executors, least), most)
    return ExecutorBounds(least, initial, most, 0 if own_nodes or room < 1 else settings.spark_executor_cores)


def spark_configs(
    settings: Settings, bounds: ExecutorBounds, scratch: Path | None = None, extra: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Give every option of the session, the placement of RayDP's actors on Ray included.

    Args:
        settings: The lake and its options, and the cores of an executor.
        bounds: Number of executors.
        scratch: Folder of spilled data on this machine; None on a cluster, where each node has its own.
        extra: Options that win over these.

    Returns:
        Option to value, without the number, cores and memory of executors that `init_spark` takes as arguments.
    """
    configs = {
        "spark.driver.extraJavaOptions": JAVA_OPTIONS,
        "spark.executor.extraJavaOptions": JAVA_OPTIONS,
        "spark.ray.raydp_app_master.extraJavaOptions": JAVA_OPTIONS,
        "spark.ui.enabled": "true",
        "spark.ui.port": "0",
        "spark.ui.killEnabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    configs |= _placement(settings, bounds) | _elastic(settings, bounds) | _exact()
    if settings.lake.startswith("s3://"):
        configs |= _s3(settings)
    if scratch:
        configs |= {"spark.local.dir": str(scratch), "spark.sql.warehouse.dir": (scratch / "warehouse").as_uri()}
    return configs | dict(extra or {})


def _placement(settings: Settings, bounds: ExecutorBounds) -> dict[str, str]:
    """Give what RayDP's actors ask of Ray: CPUs, and the resources that only nodes meant for them have.

    RayDP reads the master's CPUs in capitals only: in small letters it waits for a whole CPU.
    """
    master, executor = (f"spark.ray.raydp_spark_{actor}.actor.resource." for actor in ("master", "executor"))
    placement = {f"{master}CPU": "0", f"{executor}cpu": str(bounds.cpus)}
    if settings.spark_master_resource:
        placement[f"{master}{settings.spark_master_resource}"] = MASTER_SHARE
    if settings.spark_executor_resource:
        placement[f"{executor}{settings.spark_executor_resource}"] = "1"
    return placement


def event_log_options(folder: Path) -> dict[str, str]:
    """Give the options with which Spark writes its event log into an existing folder."""
    return {"spark.eventLog.enabled": "true", "spark.eventLog.dir": folder.as_uri()}


def _elastic(settings: Settings, bounds: ExecutorBounds) -> dict[str, str]:
    """Give what adapts: the number of executors to the work, partitions to the data."""
    cores = bounds.most * settings.spark_executor_cores
    return {
        "spark.dynamicAllocation.enabled": "true",
        "spark.dynamicAllocation.shuffleTracking.enabled": "true",
        "spark.dynamicAllocation.minExecutors": str(bounds.least),
        "spark.dynamicAllocation.initialExecutors": str(bounds.initial),
        "spark.dynamicAllocation.maxExecutors": str(bounds.most),
        "spark.sql.adaptive.enabled": "true",
        "spark.sql.adaptive.skewJoin.enabled": "true",
        "spark.sql.adaptive.coalescePartitions.enabled": "true",
        "spark.sql.adaptive.coalescePartitions.initialPartitionNum": str(
            max(FEWEST_PARTITIONS, PARTITIONS_PER_CORE * cores)
        ),
    }


def _exact() -> dict[str, str]:
    """Give what keeps values: overflow is an error, times have no hidden zone, dates before 1582 are as written."""
    rebase = {
        f"spark.sql.parquet.{kind}RebaseModeIn{way}": "CORRECTED"
        for kind in ("datetime", "int96")
        for way in ("Read", "Write")
    }
    return rebase | {
        "spark.sql.ansi.enabled": "true",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.timestampType": "TIMESTAMP_NTZ",
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        "spark.sql.parquet.compression.codec": "zstd",
        "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
    }


def _s3(settings: Settings) -> dict[str, str]:
    """Read s3:// with Hadoop's s3a. Keys stay out: options end in command lines; the nodes' environment has them."""
    configs = {"spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem"}
    endpoint = settings.storage_options.get("AWS_ENDPOINT_URL")
    if endpoint:
        configs["spark.hadoop.fs.s3a.endpoint"] = endpoint.get_secret_value()
        configs["spark.hadoop.fs.s3a.path.style.access"] = "true"
    return configs


def missing_jars(uri: str) -> str | None:
    """Say why Spark cannot read a lake.

    Args:
        uri: Folder or URL of the lake.

    Returns:
        The reason, a sentence for people; None when it can.
    """
    wanted = next((jar for scheme, jar in JARS.items() if uri.startswith(scheme)), None)
    if wanted is None:
        return None
    folders = _jar_folders()
    if any(next(folder.glob(f"{wanted}*.jar"), None) for folder in folders):
        return None
    return f"Spark has no {wanted}*.jar for {uri.partition('://')[0]}:// in {' or '.join(map(str, folders))}"


def _jar_folders() -> list[Path]:
    """Give the folders that RayDP puts on the class path: SPARK_HOME's, else pyspark's own."""
    if home := child_environment().get("SPARK_HOME"):
        return [Path(home) / "jars"]
    package = importlib.util.find_spec("pyspark")
    return [Path(package.origin).parent / "jars"] if package and package.origin else []


def refuse_nodes_without_java() -> None:
    """Make sure that every node of the Ray has the Java that executors need.

    A node that was started without Java on its PATH does not refuse a Java worker, it dies of one (Ray 2.60).

    Raises:
        ConfigurationError: A node has none, or another version.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    look = ray.remote(java_on_path)
    nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"]]
    asked = [
        look.options(num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=True)).remote()
        for node in nodes
    ]
    for node, java in zip(nodes, ray.get(asked), strict=True):
        if java is None or java.major != MAJOR:
            raise ConfigurationError(
                f"A node of Ray was started without Java {MAJOR} on its PATH",
                where=f"node {node[:12]}",
                why=f"it finds Java {java.major} at {java.home}" if java else "it finds no java",
                remedy=f"Install Java {MAJOR} there and start its Ray again; or use --join local.",
            )


@contextmanager
def spark_session(
    settings: Settings, bounds: ExecutorBounds, scratch: Path | None = None, extra: Mapping[str, str] | None = None
) -> "Iterator[SparkSession]":
    """Run Spark on the Ray that this process has joined, for the length of a block.

    Args:
        settings: See `spark_configs`; and the memory of an executor.
        bounds: Number of executors.
        scratch: See `spark_configs`.
        extra: See `spark_configs`.

    Yields:
        The session. Its driver's JVM ends with the block, too.
    """
    import raydp

    try:
        yield raydp.init_spark(
            APP,
            num_executors=bounds.initial,
            executor_cores=settings.spark_executor_cores,
            executor_memory=f"{settings.spark_executor_memory_mb}m",
            configs=spark_configs(settings, bounds, scratch, extra),
        )
    finally:
        try:
            raydp.stop_spark()
        finally:
            _end_jvm()


def _end_jvm() -> None:
    """End the driver's JVM: pyspark keeps it for a next session, which a process of ours never has."""
    from pyspark import SparkContext

    gateway = SparkContext._gateway
    jvm = getattr(gateway, "proc", None)
    if gateway is None or jvm is None:
        return
    gateway.shutdown()
    jvm.stdin.close()  # it waits for this
    try:
        jvm.wait(JVM_END_S)
    except subprocess.TimeoutExpired:
        jvm.kill()
        jvm.wait()
