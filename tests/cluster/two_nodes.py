"""Two Ray nodes on one machine, each in a working folder of its own; run inside a private network and PID namespace.

`python two_nodes.py PLACE COMMAND...` starts them, runs COMMAND with RAY_ADDRESS and RETAIL_TEST_DASHBOARD set, and
ends with its exit code. The namespace ends with this process, and everything in it.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PORT = 6379
DASHBOARD = 8265
RAY = str(Path(sys.executable).parent / "ray")


def start(folder: Path, *options: str) -> "subprocess.Popen[bytes]":
    folder.mkdir(parents=True)
    common = ["--num-cpus=1", "--object-store-memory=200000000", "--node-ip-address=127.0.0.1", "--block"]
    with (folder / "ray.log").open("wb") as log:
        return subprocess.Popen(
            [RAY, "start", *common, *options],
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )


def wait_for_nodes(count: int, nodes: "list[subprocess.Popen[bytes]]", deadline_s: float = 180) -> None:
    """Ask the head until it counts that many nodes."""
    code = f"import ray; ray.init(address='127.0.0.1:{PORT}'); print(sum(n['Alive'] for n in ray.nodes()))"
    until = time.monotonic() + deadline_s
    while time.monotonic() < until and all(node.poll() is None for node in nodes):
        asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        if asked.stdout.strip().endswith(str(count)):
            return
        time.sleep(1)
    raise SystemExit("the Ray nodes did not come up")


def main(place: Path, command: list[str]) -> int:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    os.environ.pop("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", None)
    os.environ |= {
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    temp = tempfile.mkdtemp(prefix="rn-", dir="/tmp")  # short: names of Unix sockets end at 107 characters
    head = start(
        place / "head", "--head", f"--port={PORT}", f"--temp-dir={temp}", "--include-dashboard=true",
        f"--dashboard-port={DASHBOARD}",
    )  # fmt: skip
    nodes = [head]
    try:
        wait_for_nodes(1, nodes)
        nodes.append(start(place / "worker", f"--address=127.0.0.1:{PORT}"))
        wait_for_nodes(2, nodes)
        extra = {"RAY_ADDRESS": f"127.0.0.1:{PORT}", "RETAIL_TEST_DASHBOARD": f"http://127.0.0.1:{DASHBOARD}"}
        return subprocess.run(command, env=os.environ | extra).returncode
    finally:
        for node in reversed(nodes):
            node.terminate()
        for node in nodes:
            node.wait(60)
        shutil.rmtree(temp, ignore_errors=True)


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), sys.argv[2:]))
