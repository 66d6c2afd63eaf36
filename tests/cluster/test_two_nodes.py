"""One lake written by two Ray nodes, in working folders of their own, in a private namespace."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipelines.sample import generate_sample, run_here
from tests.cluster.alone import HERE, last_json, run_alone
from tests.flow.shop_lake import Platform
from warehouse_sql.tables.gold import BASKET_PAIRS

LINES = 60_000


def on_two_nodes(place: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    place.mkdir()
    return run_alone("two_nodes.py", str(place), *command, RETAIL_RANGE_BYTES="600000")


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sample")
    generate_sample(LINES, 5, out, lambda what, done, total: None, spread=run_here)
    return out / "data"


@pytest.fixture(scope="module")
def killed_run(sample: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Refresh on two nodes; a worker that writes silver is killed in the middle."""
    place = tmp_path_factory.mktemp("nodes") / "p"
    home = place.parent / "home"
    done = on_two_nodes(place, sys.executable, str(HERE / "refresh.py"), str(home), "--kill", "silver", str(sample))
    return last_json(done.stdout)


@pytest.mark.parametrize("kind", ["bronze", "silver", "facts"])
def test_both_nodes_take_part(killed_run: dict[str, Any], kind: str) -> None:
    assert len(killed_run["nodes"][kind]) == 2, killed_run["nodes"]


def test_a_killed_worker_changes_nothing(
    killed_run: dict[str, Any], sample: Path, tmp_path: Path, ray_local: object
) -> None:
    assert killed_run["killed"], "no worker was killed"
    alone = Platform(tmp_path / "alone")
    alone.run(sample)
    assert killed_run["hashes"] == alone.hashes()


def test_a_submitted_job_does_the_same(sample: Path, tmp_path: Path, ray_local: object) -> None:
    """`ray job submit` from the project's folder, all paths absolute; a relative home is refused with the remedy.

    A second job then makes the pairs of products anew, on Spark on the same Ray.
    """
    script = tmp_path / "submit.sh"
    home = tmp_path / "home"
    submit = 'ray job submit --address "$RETAIL_TEST_DASHBOARD" --working-dir .'
    job = f"python -m ray_apps.daily_refresh --input {sample} --json"
    at_home = f"""{submit} --runtime-env-json '{{"env_vars": {{"RETAIL_HOME": "{home}"}}}}'"""
    pairs = "python -m ray_apps.basket_pairs --join spark --min-support 0.01"
    script.write_text(
        f"""set -u
{submit} -- {job}; echo "without a home: exit $?"
{at_home} -- {job}; echo "with a home: exit $?"
{at_home} -- {pairs}; echo "pairs: exit $?"
"""
    )
    done = on_two_nodes(tmp_path / "p", "bash", str(script))
    refused, _, accepted = done.stdout.partition("without a home: exit 1")
    assert "RETAIL_HOME" in refused, done.stdout[-4000:]
    assert "runtime folder" in refused
    assert "with a home: exit 0" in accepted
    assert "pairs: exit 0" in accepted, done.stdout[-4000:]
    assert "Spark UI: http://" in accepted
    lake = Platform(home).lake
    assert lake.history(BASKET_PAIRS)[0]["engine"] == "spark"
    assert lake.history(BASKET_PAIRS)[1]["engine"] == "local"
    alone = Platform(tmp_path / "alone", {"basket_min_support": "0.01"})
    alone.run(sample)
    assert Platform(home).hashes() == alone.hashes()
