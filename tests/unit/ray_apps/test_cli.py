"""The command line: exit codes, JSON on stdout, errors with their remedy. What needs Ray is in tests/flow."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ray_apps.console import money
from ray_apps.session import absolute_inputs
from ray_apps.writing import chosen_steps

PROJECT = Path(__file__).parents[3]


def retail(home: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("RETAIL_", "RAY_"))}
    return subprocess.run(
        [sys.executable, "-m", "ray_apps.cli", *arguments],
        cwd=home, env=clean | {"RETAIL_HOME": str(home), "PYTHONPATH": str(PROJECT)} | environment,
        capture_output=True, text=True,
    )  # fmt: skip


def test_help_is_quick_to_load() -> None:
    code = "import sys, ray_apps.cli; print([m for m in ('ray', 'polars', 'deltalake', 'fastapi') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_status_of_an_empty_home(tmp_path: Path) -> None:
    done = retail(tmp_path, "status", "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 0
    assert [layer["rows"] for layer in told["layers"]] == [0] * 6
    assert told["runs"] == []
    assert not (tmp_path / "warehouse").exists(), "looking starts no server"


def test_config_masks_secrets(tmp_path: Path) -> None:
    secrets = {
        "RETAIL_WAREHOUSE_URL": "postgresql://u:geheim@h/d",
        "RETAIL_STORAGE_OPTIONS": '{"AWS_SECRET_ACCESS_KEY": "geheim"}',
    }
    for option in ((), ("--json",)):
        done = retail(tmp_path, "config", "show", *option, **secrets)
        assert done.returncode == 0
        assert "geheim" not in done.stdout + done.stderr
        assert "********" in done.stdout
    assert json.loads(done.stdout)["http_port"] == 8000


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "said"),
    [
        (["run", "--step", "slver"], {}, 2, "Did you mean silver?"),
        (["run", "--step", "bronze"], {}, 2, "needs files"),
        (["run", "x.csv", "--step", "gold"], {}, 2, "reads no files"),
        (["run", "--no-such-option"], {}, 2, "No such option"),
        (["status"], {"RETAIL_HTTP_PORT": "99999"}, 2, "RETAIL_HTTP_PORT"),
        (["status"], {"RETAIL_TIME_ZONE": "Europe/Atlantis"}, 2, "Europe/London"),
        (["history", "gold.nothing"], {}, 1, "There is no table gold.nothing"),
        (["sample", "--lines", "5000"], {"RETAIL_LOG_LEVEL": "LOUD"}, 2, "RETAIL_LOG_LEVEL"),
    ],
)
def test_wrong_use_says_so(
    tmp_path: Path, arguments: list[str], environment: dict[str, str], code: int, said: str
) -> None:
    done = retail(tmp_path, *arguments, **environment)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_an_error_as_json_stands_alone_on_stdout(tmp_path: Path) -> None:
    done = retail(tmp_path, "history", "gold.nothing", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["error"], bool(told["remedy"])) == (1, "DataError", True)


def test_rejects_of_an_empty_lake(tmp_path: Path) -> None:
    export = tmp_path / "rejects.csv"
    done = retail(tmp_path, "rejects", "--json", "--export", str(export))
    assert json.loads(done.stdout)["reasons"] == []
    assert export.read_text().startswith("outcome,reasons,file_name,row_number,amount")


def test_sample_is_made_once(tmp_path: Path) -> None:
    options = ("sample", "--lines", "3000", "--seed", "4", "--out", "made", "--json")
    first, second = (json.loads(retail(tmp_path, *options).stdout) for _ in range(2))
    assert (first["changed"], second["changed"]) == (True, False)
    assert first["lines"] == 3000
    assert json.loads((tmp_path / "made" / "expected.json").read_text())["lines"] == 3000
    other = retail(tmp_path, "sample", "--lines", "4000", "--out", "made")
    assert other.returncode == 2
    assert "made" in other.stderr


def test_doctor_names_the_taken_port(tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = retail(tmp_path, "doctor", "--json", RETAIL_HTTP_PORT=str(taken.getsockname()[1]))
    findings = {finding["check"]: finding for finding in json.loads(done.stdout)}
    assert done.returncode == 1
    assert not findings["API port"]["is_well"]
    assert "RETAIL_HTTP_PORT" in findings["API port"]["remedy"]
    assert {"memory", "disk", "user namespaces", "shared memory", "Python"} <= findings.keys()


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"RETAIL_HOME": "/tmp/ray/session_x/runtime_resources/working_dir_files/p/.retail"}, "runtime folder"),
        ({}, "is relative"),
    ],
)
def test_a_submitted_job_refuses_what_it_would_lose(tmp_path: Path, environment: dict[str, str], said: str) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("RETAIL_", "RAY_"))}
    done = subprocess.run(
        [sys.executable, "-m", "ray_apps.daily_refresh", "--input", "in/*.csv"],
        env=clean | {"RETAIL_HOME": str(tmp_path), "RAY_ADDRESS": "127.0.0.1:1"} | environment,
        cwd=PROJECT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert said in done.stderr
    assert "RETAIL_HOME" in done.stderr or "absolutely" in done.stderr


def test_steps_inputs_and_money() -> None:
    from decimal import Decimal

    assert chosen_steps(None, []) == ["bronze", "silver", "gold", "customer_monthly", "basket_pairs", "publish"]
    assert chosen_steps("bronze", ["x"]) == ["bronze"]
    assert absolute_inputs(["a.csv", "/b/*.csv", "s3://c/d"]) == [str(Path.cwd() / "a.csv"), "/b/*.csv", "s3://c/d"]
    assert [money(Decimal(text)) for text in ("9747747.9340", "5", "0.1234", "-1000.5000")] == [
        "9,747,747.934", "5.00", "0.1234", "-1,000.50",
    ]  # fmt: skip
