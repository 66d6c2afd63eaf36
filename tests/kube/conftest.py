"""Plays the scenario once for all tests of this folder, and watches from outside what it starts."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from cluster.errors import ConfigurationError
from cluster.manifests.objects import Manifest
from cluster.manifests.render import render
from tests.kube.namespaces import OF_THE_HARNESS, private, require_namespaces

PROJECT = Path(__file__).parents[2]
LIMIT_S = 900
"""For a machine that does much else; idle it takes three to four minutes."""


@dataclass
class Played:
    """A scenario that has ended."""

    record: dict[str, Any]
    log: str
    seconds: float
    processes: dict[int, float] = field(default_factory=dict)
    """Every process that was seen in its namespaces: pid and start time."""

    def section(self, name: str) -> Any:
        """Give what happened in a part; where the scenario did not come so far, its log says why."""
        if name not in self.record:
            pytest.fail(f"the scenario did not reach '{name}':\n{self.log[-4000:]}\n{self.record.get('error', '')}")
        return self.record[name]


def play(place: Path, name: str) -> Played:
    """Play a scenario in namespaces of its own."""
    command = [*private(*OF_THE_HARNESS), sys.executable, "-m", "tests.kube.scenario", str(place), name]
    began = time.monotonic()
    seen: dict[int, float] = {}
    with (place / "scenario.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            while process.poll() is None and time.monotonic() < began + LIMIT_S:
                seen |= _below(process.pid)
                time.sleep(0.5)
        finally:
            process.kill()  # unshare --kill-child takes all namespaces with it
            process.wait()
    record = place / "record.json"
    told = json.loads(record.read_text()) if record.exists() else {}
    return Played(told, (place / "scenario.log").read_text(), time.monotonic() - began, seen)


def _below(pid: int) -> dict[int, float]:
    found = {}
    for child in psutil.Process(pid).children(recursive=True):
        try:
            found[child.pid] = child.create_time()
        except psutil.NoSuchProcess:
            continue
    return found


def dev_overlay() -> list[Manifest]:
    """Render the dev overlay; a laptop without kubectl skips, CI fails."""
    try:
        return render("dev")
    except ConfigurationError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def rendered() -> list[Manifest]:
    """The dev overlay."""
    return dev_overlay()


@pytest.fixture(scope="session")
def played(rendered: list[Manifest], neighbour: Callable[[], int], tmp_path_factory: pytest.TempPathFactory) -> Played:
    """The scenario of scaling, beside a Ray of this machine."""
    require_namespaces()
    assert neighbour() == 1
    return play(tmp_path_factory.mktemp("kube"), "scaling")


@pytest.fixture(scope="session")
def neighbour(ray_local: object) -> Callable[[], int]:
    """A Ray beside the namespaces, which runs a task when it is asked to."""
    import ray

    @ray.remote  # type: ignore[untyped-decorator]  # Ray is untyped here
    def answer() -> int:
        return 1

    return lambda: int(ray.get(answer.remote(), timeout=120))
