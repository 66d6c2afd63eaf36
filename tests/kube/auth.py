"""Tries each door of a cluster without a token, with a wrong one and with the right one."""

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.kube.dashboard import Dashboard
from tests.kube.pods import Pod

TOKENS = ("none", "wrong", "right")
INIT = "import ray; ray.init(); print('nodes:', len(ray.nodes()))"
DOORS = ("/api/jobs/", "/nodes?view=summary", "/api/serve/applications/", "/api/cluster_status")


def knock(head: Pod, right: str) -> dict[str, Any]:
    """Try all doors.

    Args:
        head: Pod that runs the head; `ray job submit` and `ray.init` run inside it.
        right: The token.

    Returns:
        Door → token → what happened.
    """
    tokens = {"none": None, "wrong": "not-the-token-of-this-cluster", "right": right}
    submit = ["ray", "job", "submit", "--address", f"http://{head.address}:8265", "--", "true"]

    def run(command: list[str], token: str | None) -> dict[str, Any]:
        environment = {"RAY_AUTH_MODE": "disabled", "RAY_AUTH_TOKEN": ""}
        if token is not None:
            environment = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}
        done = head.run(*command, environment=environment)
        return {"code": done.returncode, "said": (done.stdout + done.stderr)[-1500:]}

    with ThreadPoolExecutor(2) as two:
        commands = {"ray job submit": submit, "ray.init": [sys.executable, "-c", INIT]}
        asked = {
            (door, name): two.submit(run, command, tokens[name])
            for door, command in commands.items()
            for name in TOKENS
        }
        found: dict[str, Any] = {door: {name: asked[door, name].result() for name in TOKENS} for door in commands}
    found["dashboard"] = {
        name: {path: Dashboard(head.address, tokens[name]).ask(path).status for path in DOORS} for name in TOKENS
    }
    return found
