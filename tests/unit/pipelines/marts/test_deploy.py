"""When a project counts as changed, which dbt deploys it, and what is said when dbt fails."""

import json
import shutil
from pathlib import Path

import pytest

from cluster.errors import ConfigurationError, PlatformError
from cluster.settings import load_settings
from pipelines.marts.dbt import find_dbt, run_dbt, version_of
from pipelines.marts.deploy import PROJECT, project_hash


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PROJECT, tmp_path / "dbt"))


@pytest.mark.parametrize("changed", ["models/marts/mv_returns.sql", "seeds/rfm_segments.csv", "requirements.lock"])
def test_every_file_counts_and_the_lock_of_dbt_too(project: Path, changed: str) -> None:
    assert project_hash(project) == project_hash(PROJECT)
    file = project / changed
    file.write_text(file.read_text() + "\n")
    assert project_hash(project) != project_hash(PROJECT)


def test_a_name_counts_and_what_dbt_writes_does_not(project: Path) -> None:
    (project / "logs").mkdir()
    (project / "logs" / "dbt.log").write_text("said")
    assert project_hash(project) == project_hash(PROJECT)
    (project / "models" / "marts" / "mv_returns.sql").rename(project / "models" / "marts" / "mv_back.sql")
    assert project_hash(project) != project_hash(PROJECT)


def test_dbt_is_the_one_that_is_set_or_the_one_beside_the_environment(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        find_dbt(load_settings(dbt=tmp_path / "dbt"))
    assert caught.value.where == str(tmp_path / "dbt")
    assert "make install" in caught.value.remedy
    assert "RETAIL_DBT" in caught.value.remedy
    (tmp_path / "dbt").touch()
    assert find_dbt(load_settings(dbt=tmp_path / "dbt")) == tmp_path / "dbt"


def test_the_version_of_dbt_is_read_beside_its_command(tmp_path: Path) -> None:
    dbt = tmp_path / "env" / "bin" / "dbt"
    dbt.parent.mkdir(parents=True)
    dbt.touch()
    link = tmp_path / "dbt"
    link.symlink_to(dbt)
    assert version_of(link) is None
    (tmp_path / "env" / "lib" / "python3.11" / "site-packages" / "dbt_core-1.11.2.dist-info").mkdir(parents=True)
    assert version_of(link) == "1.11.2"


def dbt_that(folder: Path, *does: str) -> str:
    """A program in the place of dbt, for what its failures look like from outside."""
    dbt = folder / "dbt"
    dbt.write_text("\n".join(["#!/bin/sh", *does]) + "\n")
    dbt.chmod(0o700)
    return str(dbt)


def test_a_failure_names_the_models_and_tests_that_failed(tmp_path: Path) -> None:
    results = [
        {"unique_id": "model.retail.mv_good", "status": "success", "message": "fine"},
        {"unique_id": "model.retail.mv_bad", "status": "error", "message": "Database Error\n  no such column"},
        {"unique_id": "test.retail.grain_mv_bad.0a1b", "status": "fail", "message": None},
        {"unique_id": "model.retail.mv_after", "status": "skipped", "message": None},
    ]
    (tmp_path / "run_results.json").write_text(json.dumps({"results": results}))
    with pytest.raises(PlatformError) as caught:
        run_dbt([dbt_that(tmp_path, "exit 1"), "build"], PROJECT, tmp_path, tmp_path, {})
    assert caught.value.where == "model mv_bad, test grain_mv_bad"
    assert caught.value.why == "Database Error no such column"
    assert str(tmp_path / "dbt.log") in caught.value.remedy


def test_a_failure_before_any_model_gives_what_dbt_said(tmp_path: Path) -> None:
    with pytest.raises(PlatformError) as caught:
        run_dbt([dbt_that(tmp_path, "echo Compilation Error", "exit 2")], PROJECT, tmp_path, tmp_path, {})
    assert caught.value.where == str(PROJECT)
    assert caught.value.why == "Compilation Error"


def test_dbt_gets_no_password_as_an_argument(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    dbt = dbt_that(tmp_path, 'printf "%s\\n" "$@" >arguments')
    assert run_dbt([dbt, "build"], PROJECT, tmp_path, tmp_path, {"DBT_ENV_SECRET_WAREHOUSE_PASSWORD": "s3cret"}) == {}
    arguments = (tmp_path / "arguments").read_text().split("\n")
    assert "--no-version-check" in arguments
    assert "--no-send-anonymous-usage-stats" in arguments
    assert arguments[arguments.index("--target-path") + 1] == str(tmp_path)
    assert not any("s3cret" in argument for argument in arguments)
