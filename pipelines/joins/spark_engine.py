"""Runs joins on Spark through a child process that lives for a run; knows no particular join, and neither Spark.

Only names of files cross to the child, and names of the files that it wrote come back. The caller commits them.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from cluster import errors
from cluster.delta_sink import WrittenFile
from cluster.errors import FatalError, PlatformError, RetryableError
from cluster.java import java_environment
from cluster.settings import Settings, child_environment
from cluster.spark_session import refuse_nodes_without_java
from cluster.storage import Storage
from pipelines.joins.join import Join
from pipelines.joins.spark_child import Message, request_line
from pipelines.steps import Report

SENT = {"home", *(name for name in Settings.model_fields if name.startswith("spark_"))}
POLITE_S = 40
LAST_LINES = 3
SCRATCH = "spark-"


class SparkProcess:
    """A Spark on the Ray that this process is connected to; a context manager.

    While it lives its executors hold CPUs of Ray: at least `spark_min_executors` times their cores, and it leaves one.
    """

    def __init__(
        self,
        settings: Settings,
        storage: Storage,
        say: Callable[[str], None],
        extra: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare; nothing is started.

        Args:
            settings: Executors, and the home whose logs/spark.log takes what Spark prints.
            storage: The lake.
            say: Takes a sentence for people.
            extra: Options of Spark that win over the platform's.
        """
        self._settings = settings
        self._storage = storage
        self._say = say
        self._extra = dict(extra or {})
        self._log = settings.home / "logs" / "spark.log"
        self._scratch: Path | None = None
        self._child: subprocess.Popen[str] | None = None
        self.ui_url = ""

    @property
    def pid(self) -> int:
        """The child's process id, of its process group, too; 0 when it does not run."""
        return self._child.pid if self._child else 0

    def __enter__(self) -> Self:
        """Start Spark, and say where its UI is.

        Returns:
            This.

        Raises:
            PlatformError: There is no Java, or Spark does not start.
        """
        try:
            self._start()
            ready = self._reply("Spark")
        except BaseException:
            self._stop()
            raise
        self.ui_url = ready["ui_url"]
        size = f"{self._settings.spark_executor_cores} CPU, {self._settings.spark_executor_memory_mb:,} MB each"
        self._say(f"Spark UI: {self.ui_url} ({ready['executors']} executors, {size})")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End Spark and everything of it, which takes a few seconds."""
        if error is not None:
            self._say("Stopping Spark …")
        self._stop()

    def run(self, join: Join, name: str, report: Report) -> list[WrittenFile]:
        """Run a join.

        Args:
            join: Its statement, files and values.
            name: Folder below the table's that takes its files; what is there already is replaced.
            report: Told the tasks of the stages that run.

        Returns:
            The files written, uncommitted.

        Raises:
            PlatformError: The statement fails, or Spark has ended.
        """
        self._send({
            "table": join.table, "sql": join.sql, "views": dict(join.views), "values": dict(join.values),
            "partition_by": join.partition_by, "name": name,
        })  # fmt: skip
        while "tasks" in (reply := self._reply(join.table)):
            report(join.table, *reply["tasks"])
        return [WrittenFile(**file) for file in reply["files"]]

    def _start(self) -> None:
        import ray

        java = java_environment()
        refuse_nodes_without_java()
        address = str(ray.get_runtime_context().gcs_address)
        local = address.startswith("127.0.0.1:")
        self._log.parent.mkdir(parents=True, exist_ok=True)
        if local:
            self._scratch = make_scratch(self._settings.home / "run")
        root = str(Path(__file__).parents[2])
        environment = child_environment(
            **java,
            **({"SPARK_LOCAL_IP": "127.0.0.1"} if local else {}),
            RAY_ADDRESS=address,
            PYTHONPATH=f"{root}:{child_environment().get('PYTHONPATH', '')}".rstrip(":"),
        )
        with self._log.open("wb") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "pipelines.joins.spark_child"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, encoding="utf-8",
                env=environment,
                cwd=self._log.parent,  # a job's own folder can be made anew by Ray under a process that stands in it
                start_new_session=True,  # a terminal's Ctrl-C reaches only us
            )  # fmt: skip
        self._send({
            "settings": self._settings.model_dump(mode="json", include=SENT)
            | {"lake_uri": self._storage.root, "storage_options": self._storage.options},
            "scratch": str(self._scratch or ""), "extra": self._extra,
        })  # fmt: skip

    def _streams(self) -> tuple[IO[str], IO[str]]:
        child = self._child
        if child is None or child.stdin is None or child.stdout is None:
            raise FatalError("Spark was asked before it was started", remedy="Use SparkProcess in a with block.")
        return child.stdin, child.stdout

    def _send(self, message: Message) -> None:
        stdin, _ = self._streams()
        try:
            stdin.write(request_line(message))
            stdin.flush()
        except BrokenPipeError:
            raise self._ended(str(message.get("table", "Spark"))) from None

    def _reply(self, where: str) -> Message:
        _, stdout = self._streams()
        line = stdout.readline()
        if not line:
            raise self._ended(where)
        message: Message = json.loads(line)
        if "error" in message:
            raise _error(message["error"], self._log)
        return message

    def _ended(self, where: str) -> PlatformError:
        code = self._child.wait() if self._child else 0
        said = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        with self._log.open(encoding="utf-8", errors="replace") as log:
            last = " / ".join(deque((line.strip() for line in log if line.strip()), LAST_LINES))
        return RetryableError(
            f"Spark's process ended {said}",
            where=where,
            why=last[:500],
            remedy=f"Nothing was committed; run again, or with --join local. Its log: {self._log}.",
        )

    def _stop(self) -> None:
        """Close its stdin, at which it ends; then kill what is left of its process group."""
        child, self._child = self._child, None
        if child is not None and child.stdin and child.stdout:
            with suppress(BrokenPipeError):
                child.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                child.wait(POLITE_S)
            _kill_group(child.pid)
            child.wait()
            child.stdout.close()
        if self._scratch:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None


def make_scratch(run: Path) -> Path:
    """Make a folder for what Spark spills, named for this process; remove those of processes that were killed."""
    run.mkdir(parents=True, exist_ok=True)
    for folder in run.glob(f"{SCRATCH}*"):
        if not Path(f"/proc/{folder.name.removeprefix(SCRATCH).partition('-')[0]}").exists():
            shutil.rmtree(folder, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{SCRATCH}{os.getpid()}-", dir=run))


def _error(fields: dict[str, str], log: Path) -> PlatformError:
    kind = getattr(errors, fields["error"])
    error: PlatformError = kind(
        fields["what"], where=fields["where"], why=fields["why"], remedy=f"{fields['remedy']} Spark's log: {log}."
    )
    return error


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
