"""The process that holds a run's one Spark session and runs joins on request; knows no particular join.

`python -m pipelines.joins.spark_child`: one JSON line per request on stdin, JSON lines in answer on stdout. It is a
process of its own so that everything of Spark ends with it: when stdin closes, by a polite parent or by the kernel of
a dead one, it cancels what runs, stops Spark and exits. Tables cross as files of the lake only: Spark reads the Parquet
files of a version and writes Parquet, so RayDP may be replaced without a change here.
"""

import json
import os
import queue
import re
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import unquote

import pyarrow.fs as pafs
import pyarrow.parquet as pq

from cluster.errors import DataError, PlatformError
from cluster.ray_session import ray_session
from cluster.settings import Settings, load_settings
from cluster.spark_session import executor_bounds, spark_session
from cluster.storage import Storage

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Message = dict[str, Any]
PROGRESS_S = 0.5
CAUSE = re.compile(r"^Caused by: (?:[\w.$]+: )?(.+)$", re.MULTILINE)
LAST_S = 10
"""Seconds after which a process whose parent has gone ends without Spark's consent."""


def main() -> int:
    """Serve requests until stdin closes.

    Returns:
        Exit code: 0, or 1 when Spark did not start.
    """
    replies = Replies(_own_stdout())
    requests = Requests(sys.stdin)
    hello = requests.next()
    if hello is None:
        return 0
    try:
        settings = load_settings(**hello["settings"])
        storage = Storage.of(settings)
        with _session(settings, hello, replies) as spark:
            while (request := requests.next()) is not None:
                with _progress(spark, replies, requests.closed):
                    answer = _answer(spark, storage, request)
                replies.send(answer)
    except PlatformError as error:
        replies.send({"error": error.as_dict()})
        return 1
    return 0


class Replies:
    """The answers' stream, one JSON object a line, from more than one thread."""

    def __init__(self, stream: IO[str]) -> None:
        """Write to `stream`."""
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, message: Message) -> None:
        """Write one line; a parent that has gone needs none."""
        with self._lock:
            try:
                self._stream.write(json.dumps(message) + "\n")
                self._stream.flush()
            except BrokenPipeError:
                return


class Requests:
    """The requests' stream, read by a thread so that its end is seen while a join runs."""

    def __init__(self, stream: IO[str]) -> None:
        """Read from `stream`."""
        self.closed = threading.Event()
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def next(self) -> Message | None:
        """Wait for the next request; None when there will be none."""
        line = self._lines.get()
        return None if line is None or self.closed.is_set() else json.loads(line, object_hook=_decimal)

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            self._lines.put(line)
        self.closed.set()
        self._lines.put(None)
        timer = threading.Timer(LAST_S, _end_group)
        timer.daemon = True
        timer.start()


def request_line(message: Message) -> str:
    """Write a request as a line; decimals keep every digit."""
    return json.dumps(message, default=lambda value: {"decimal": str(value)}) + "\n"


def _decimal(value: Message) -> Any:
    return Decimal(value["decimal"]) if value.keys() == {"decimal"} else value


def _own_stdout() -> IO[str]:
    """Keep stdout for answers: what Spark, Ray or a JVM prints goes to stderr."""
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return stream


def _end_group() -> None:
    """End this process and its driver JVM; only when it leads a group of its own."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


@contextmanager
def _session(settings: Settings, hello: Message, replies: Replies) -> "Iterator[SparkSession]":
    with ray_session(settings) as ray:
        bounds = executor_bounds(settings, ray.cpus)
        scratch = Path(hello["scratch"]) if hello["scratch"] else None
        with spark_session(settings, bounds, scratch, hello["extra"]) as spark:
            spark.sparkContext.setLogLevel("WARN")
            replies.send({"ui_url": spark.sparkContext.uiWebUrl or "", "executors": str(bounds)})
            yield spark


@contextmanager
def _progress(spark: "SparkSession", replies: Replies, closed: threading.Event) -> Iterator[None]:
    """Tell the tasks of the stages that run, from a thread; cancel them when the parent has gone."""
    done = threading.Event()

    def watch() -> None:
        tracker = spark.sparkContext.statusTracker()
        while not done.wait(PROGRESS_S):
            if closed.is_set():
                spark.sparkContext.cancelAllJobs()
                continue
            stages = [info for stage in tracker.getActiveStageIds() if (info := tracker.getStageInfo(stage))]
            if stages:
                replies.send({"tasks": [sum(s.numCompletedTasks for s in stages), sum(s.numTasks for s in stages)]})

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _answer(spark: "SparkSession", storage: Storage, request: Message) -> Message:
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        return {"files": write_join(spark, storage, request)}
    except (PySparkException, Py4JError) as error:
        failed = DataError(
            "Spark could not run a join",
            where=request["table"],
            why=_cause(str(error)),
            remedy="Nothing of it was committed. Look into the log for the whole error.",
        )
        return {"error": failed.as_dict()}


def _cause(text: str) -> str:
    """Give the innermost cause of a Java error, or the first paragraph of one that Spark words for people."""
    causes = CAUSE.findall(text)
    return " ".join((causes[-1] if causes else text.partition("\n\n")[0]).split())[:500]


def write_join(spark: "SparkSession", storage: Storage, request: Message) -> list[Message]:
    """Run a join and write its rows as Parquet files below the table's folder.

    Args:
        spark: The session.
        storage: The lake.
        request: `table`, `sql`, `views`, `values`, `partition_by` of the join, and the `name` of its own folder.

    Returns:
        The fields of a `WrittenFile` for every file with rows.
    """
    for view, files in request["views"].items():
        spark.read.option("mergeSchema", "true").parquet(*files).createOrReplaceTempView(view)
    result: DataFrame = spark.sql(request["sql"], args=request["values"])
    if request["partition_by"]:
        columns = ", ".join(f"`{column}`" for column in request["partition_by"])
        result = spark.sql(f"SELECT /*+ REBALANCE({columns}) */ * FROM {{result}}", result=result)
    table = storage.table_uri(request["table"])
    result.write.mode("overwrite").partitionBy(*request["partition_by"]).parquet(f"{table}/{request['name']}")
    for view in request["views"]:
        spark.catalog.dropTempView(view)
    return written_files(storage, table, request["name"])


def written_files(storage: Storage, table: str, name: str) -> list[Message]:
    """Name the Parquet files in a folder of a table, counted by their footers; delete the others.

    Args:
        storage: The lake.
        table: The table's URI.
        name: The folder, only Spark writes to it.

    Returns:
        The fields of a `WrittenFile` for every file with rows.
    """
    filesystem, root = storage.open(table)
    found = filesystem.get_file_info(pafs.FileSelector(f"{root}/{name}", recursive=True))
    files: list[Message] = []
    for info in sorted(found, key=lambda info: str(info.path)):
        if info.type is not pafs.FileType.File:
            continue
        hidden = info.base_name.startswith((".", "_"))
        rows = 0 if hidden else pq.read_metadata(info.path, filesystem=filesystem).num_rows
        if rows == 0:  # checksums of Hadoop's local files, and the file that says an empty result's columns
            filesystem.delete_file(info.path)
            continue
        path = info.path[info.path.index(f"/{name}/", len(root)) + 1 :]
        files.append({"path": path, "size": info.size, "rows": rows, "partition": _partition(path)})
    return files


def _partition(path: str) -> Mapping[str, str]:
    folders = [part.partition("=") for part in path.split("/")[1:-1]]
    return {column: unquote(value) for column, _, value in folders}


if __name__ == "__main__":
    sys.exit(main())
