"""The Serve configuration of the cluster, run on one machine as a developer would."""

import subprocess
import sys
from pathlib import Path

from tests.cluster.test_two_nodes import HERE, PROJECT, can_unshare, last_json, namespace, pytestmark

__all__ = ["can_unshare", "pytestmark"]


def test_serve_run_takes_the_file_of_the_cluster(tmp_path: Path) -> None:
    done = subprocess.run(
        [*namespace(), sys.executable, str(HERE / "serve_file.py"), str(tmp_path)],
        cwd=PROJECT, capture_output=True, text=True, timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    told = last_json(done.stdout)
    assert told["statuses"] == {"/health/ready": 200, "/docs": 200, "/api/v1/sales?limt=1": 400}, told["log"]
