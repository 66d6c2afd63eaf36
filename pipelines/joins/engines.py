"""The engines of one run: DuckDB in Ray tasks, and Spark on the same Ray, started with the first join that takes it.

It knows no particular join. Starting Spark costs far more than a join of a few million rows, hence once per run.
"""

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from cluster.delta_sink import WrittenFile
from cluster.spark_session import missing_jars
from pipelines.joins.choice import Choice, Size, choose
from pipelines.joins.duckdb_engine import Bounds, JoinItem, run_local
from pipelines.joins.join import Join
from pipelines.steps import StepContext

if TYPE_CHECKING:
    from pipelines.joins.spark_engine import SparkProcess

MOST_THREADS = 8
"""Threads of one local join; more gain little, and the node has other tasks."""


class Engines:
    """Chooses and runs; a context manager, since Spark must end with the run."""

    def __init__(self, context: StepContext) -> None:
        """Prepare for the steps of `context`; nothing is started."""
        self._context = context
        self._spark: SparkProcess | None = None

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End Spark, if it was started."""
        if self._spark:
            self._spark.__exit__(kind, error, trace)
            self._spark = None

    def choose(self, table: str, size: Size) -> Choice:
        """Choose the engine for the join that makes `table`, and say why.

        Raises:
            ConfigurationError: Spark is set, and cannot read this lake.
        """
        choice = choose(self._context.settings, size, missing_jars(self._context.lake.storage.root))
        if choice.engine == "spark":
            self._context.say(f"{table}: {choice.reason}")
        return choice

    def run(self, choice: Choice, whole: Join, parts: Sequence[JoinItem]) -> tuple[list[WrittenFile], dict[str, int]]:
        """Run a join on the engine chosen.

        Args:
            choice: From `choose`.
            whole: The join, for Spark.
            parts: The same in parts with disjoint results, for local tasks.

        Returns:
            The files written, uncommitted, and node id → local tasks that ran there.
        """
        context = self._context
        if choice.engine == "local":
            return run_local(context.lake.storage, parts, self.bounds(), context.report)
        return self.run_spark(whole), {}

    def run_spark(self, join: Join) -> list[WrittenFile]:
        """Run a join on Spark; its files lie in a folder of this run below the table's."""
        return self._running_spark().run(join, self._context.lake.run_id, self._context.report)

    def bounds(self) -> Bounds:
        """Give what a local join may use: the memory that is set, and at most the CPUs of the largest node.

        One CPU while Spark runs, which holds all others.
        """
        import ray

        if self._spark:
            return Bounds(self._context.settings.join_memory_mb, 1)
        cpus = [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]
        return Bounds(self._context.settings.join_memory_mb, max(1, min([MOST_THREADS, max(cpus, default=1)])))

    def _running_spark(self) -> "SparkProcess":
        if self._spark is None:
            from pipelines.joins.spark_engine import SparkProcess

            context = self._context
            self._spark = SparkProcess(context.settings, context.lake.storage, context.say).__enter__()
        return self._spark
