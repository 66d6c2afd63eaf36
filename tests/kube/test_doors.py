"""Each door of the cluster asks for its token, and what is outside the namespaces stays as it was."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.kube.conftest import Played
from tests.kube.namespaces import BRIDGE


@pytest.fixture(scope="module")
def doors(played: Played) -> Any:
    return played.section("auth")["doors"]


@pytest.mark.parametrize("door", ["ray job submit", "ray.init"])
@pytest.mark.parametrize("token", ["none", "wrong"])
def test_without_the_token_the_door_is_closed(doors: Any, door: str, token: str) -> None:
    tried = doors[door][token]
    assert tried["code"] != 0
    assert "nodes:" not in tried["said"]
    assert "auth" in tried["said"].lower()


@pytest.mark.parametrize("door", ["ray job submit", "ray.init"])
def test_with_the_token_the_door_is_open(doors: Any, door: str) -> None:
    assert doors[door]["right"]["code"] == 0, doors[door]["right"]["said"]


@pytest.mark.parametrize(("token", "status"), [("none", 401), ("wrong", 403), ("right", 200)])
def test_the_dashboard_asks_for_the_token(doors: Any, token: str, status: int) -> None:
    assert set(doors["dashboard"][token].values()) == {status}
    assert len(doors["dashboard"][token]) >= 4


def test_the_autoscaler_used_the_rights_of_its_role_alone(played: Played) -> None:
    asked = {tuple(one) for one in played.section("service")["asked"]}
    assert {one for one in asked if one[0] == "retail-ray-head"} == {
        ("retail-ray-head", "get", "pods"), ("retail-ray-head", "list", "pods"),
        ("retail-ray-head", "get", "rayclusters"), ("retail-ray-head", "patch", "rayclusters"),
    }  # fmt: skip
    assert asked - {one for one in asked if one[0] == "retail-ray-head"} == {("retail-launcher", "create", "rayjobs")}


def test_a_ray_beside_it_still_answers(played: Played, neighbour: Callable[[], int]) -> None:
    assert played.record
    assert neighbour() == 1


def test_nothing_is_left_running(played: Played) -> None:
    assert len(played.processes) > 50
    left = []
    for pid, started in played.processes.items():
        try:
            process = psutil.Process(pid)
            if process.create_time() == started and process.status() != psutil.STATUS_ZOMBIE:
                left.append(process.cmdline())
        except psutil.NoSuchProcess:
            continue
    assert left == []


def test_the_machine_has_no_new_network_and_no_new_folder(played: Played) -> None:
    assert played.record
    links = json.loads(subprocess.run(["ip", "-json", "link"], capture_output=True, text=True, check=True).stdout)
    assert BRIDGE not in {link["ifname"] for link in links}
    assert not Path("/run/kube").exists()
