"""The side of a test that commands `spark_driver`, and looks at its processes."""

import json
import select
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import psutil

from cluster.delta_sink import WrittenFile
from cluster.storage import Storage
from pipelines.joins.join import Join
from tests.cluster.spark_driver import pack, unpack

LIMIT_S = 240


@dataclass
class Driver:
    """The process of a run: it has Ray, and its child has Spark."""

    process: "subprocess.Popen[bytes]"
    lake: Storage
    started: dict[str, str] | None = None
    spark: dict[str, Any] = field(default_factory=dict)

    def send(self, *command: Any) -> None:
        assert self.process.stdin
        self.process.stdin.write(pack(command))
        self.process.stdin.flush()

    def has_reply(self, wait_s: float = 0) -> bool:
        assert self.process.stdout
        return bool(select.select([self.process.stdout], [], [], wait_s)[0])

    def reply(self) -> Any:
        assert self.process.stdout
        assert self.has_reply(LIMIT_S), "no answer"
        line = self.process.stdout.readline()
        assert line, "the driver ended"
        return unpack(line)

    def ask(self, *command: Any) -> Any:
        self.send(*command)
        return self.reply()

    def start(self, extra: dict[str, str]) -> None:
        """Have a Spark with these options run."""
        if self.started != extra:
            self.ask("stop")
            self.spark, self.started = self.ask("start", extra), extra

    def stop(self) -> None:
        self.ask("stop")
        self.started = None

    def run(self, join: Join, name: str = "run-1") -> list[WrittenFile]:
        files, _ = self.ask("run", join, name)
        if isinstance(files, Exception):
            raise files
        return list(files)

    def put(self, path: str, frame: pl.DataFrame) -> str:
        """Write a frame below the lake; give the file's path."""
        file = Path(self.lake.root) / path
        file.parent.mkdir(parents=True, exist_ok=True)
        frame.write_parquet(file)
        return str(file)

    def read(self, join: Join, files: list[WrittenFile]) -> pl.DataFrame:
        table = self.lake.table_uri(join.table)
        frames = [
            pl.read_parquet(f"{table}/{file.path}", hive_partitioning=False).with_columns(
                **{name: pl.lit(value) for name, value in file.partition.items()}
            )
            for file in files
        ]
        return pl.concat(frames)

    def ui(self, path: str) -> Any:
        """Ask Spark's REST API."""
        root = f"{self.spark['ui_url']}/api/v1/applications"
        with urllib.request.urlopen(root, timeout=60) as answer:
            application = json.load(answer)[0]["id"]
        with urllib.request.urlopen(f"{root}/{application}/{path}", timeout=60) as answer:
            return json.load(answer)

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def javas(self) -> list[psutil.Process]:
        return [process for process in self.family() if process.name() == "java"]


def until(condition: Callable[[], Any], what: str) -> Any:
    """Poll for what must become true."""
    deadline = time.monotonic() + LIMIT_S
    while not (value := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.2)
    return value


def lives(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def start_driver(home: Path, environment: dict[str, str]) -> Driver:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.cluster.spark_driver", str(home)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment,
    )  # fmt: skip
    return Driver(process, Storage(str(home / "a lake")))


def end_driver(driver: Driver) -> None:
    assert driver.process.stdin
    driver.process.stdin.close()
    try:
        driver.process.wait(LIMIT_S)
    finally:
        driver.process.kill()


def ports(process: psutil.Process) -> set[int]:
    return {
        connection.laddr.port
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
