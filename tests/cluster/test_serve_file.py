"""The Serve configuration of the cluster, run on one machine as a developer would."""

from pathlib import Path

from tests.cluster.alone import last_json, run_alone


def test_serve_run_takes_the_file_of_the_cluster(tmp_path: Path) -> None:
    told = last_json(run_alone("serve_file.py", str(tmp_path)).stdout)
    assert told["statuses"] == {"/health/ready": 200, "/docs": 200, "/api/v1/sales?limt=1": 400}, told["log"]
