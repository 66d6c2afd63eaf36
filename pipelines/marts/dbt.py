"""Runs dbt in an environment of its own, as a child process; knows the project only as a folder, and no deployment.

Address and password reach dbt by its environment, never by a file or an argument.
"""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict

from cluster.errors import ConfigurationError, PlatformError
from cluster.settings import Settings, child_environment

PASSED_BY_PROFILE = frozenset({"host", "port", "user", "password", "dbname", "application_name"})
ADDRESSES = frozenset({"hostaddr"})
FAILED = frozenset({"error", "fail", "runtime error", "partial success"})
REASON_CHARACTERS = 400
COMPILED = re.compile(r"\s*compiled code at \S+")
"""Of a scratch folder that is gone when a person reads it."""


def find_dbt(settings: Settings) -> Path:
    """Give the command dbt.

    Args:
        settings: `dbt`; empty: the environment `.dbt` beside the one that runs this.

    Returns:
        Its path.

    Raises:
        ConfigurationError: There is none.
    """
    dbt = settings.dbt or Path(sys.prefix).parent / ".dbt" / "bin" / "dbt"
    if not dbt.is_file():
        raise ConfigurationError(
            "The marts cannot be deployed without dbt", where=str(dbt), why="there is no such command",
            remedy="Run `make install`, or set RETAIL_DBT to the command dbt.",
        )  # fmt: skip
    return dbt.absolute()


def version_of(dbt: Path) -> str | None:
    """Give the version of dbt-core beside a command, without starting it; None where it cannot be told."""
    packages = dbt.resolve().parents[1] / "lib"
    found = sorted(packages.glob("python*/site-packages/dbt_core-*.dist-info"))
    return found[-1].name.removesuffix(".dist-info").partition("-")[2] if found else None


def environment(connection: psycopg.Connection[Any], url: str, suffix: str) -> dict[str, str]:
    """Give the environment in which dbt reaches the warehouse that a connection reached, however its URL is written.

    Args:
        connection: To the warehouse; it has looked up service, password file and the host that answered.
        url: That it was made from.
        suffix: Of the schemas that dbt builds in.

    Returns:
        Ours with what the profile reads, and libpq's own variables for the rest of the URL.
    """
    info = connection.info
    variables = {(option.keyword.decode()): option.envvar for option in pq.Conninfo.get_defaults()}
    rest = conninfo_to_dict(url)
    libpq = {
        variable.decode(): str(value)
        for name, value in rest.items()
        if name not in PASSED_BY_PROFILE | ADDRESSES and (variable := variables.get(name)) and value is not None
    }
    if "hostaddr" in rest:
        libpq["PGHOSTADDR"] = info.hostaddr
    return child_environment(
        RETAIL_DBT_HOST=info.host,
        RETAIL_DBT_PORT=str(info.port),
        RETAIL_DBT_USER=info.user,
        RETAIL_DBT_DATABASE=info.dbname,
        RETAIL_DBT_SCHEMA_SUFFIX=suffix,
        DBT_ENV_SECRET_WAREHOUSE_PASSWORD=info.password or "",
        PYTHONPATH="",  # ours names packages of another environment
        **libpq,
    )


def run_dbt(command: Sequence[str], project: Path, target: Path, logs: Path, environ: dict[str, str]) -> dict[str, Any]:
    """Run a command of dbt that writes a manifest.

    Args:
        command: The command dbt, then its subcommand with options.
        project: Folder of the project.
        target: Folder for what it writes; a scratch folder.
        logs: Folder of its log.
        environ: Of the child.

    Returns:
        The manifest.

    Raises:
        PlatformError: It failed.
    """
    dbt, *rest = command
    quiet = ("--no-version-check", "--no-send-anonymous-usage-stats", "--no-use-colors", "--quiet")
    folders = ("--project-dir", project, "--profiles-dir", project, "--target-path", target, "--log-path", logs)
    child = subprocess.run(
        [dbt, *quiet, *rest, *map(str, folders), "--target", "warehouse"],
        cwd=target, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if child.returncode:
        where, why = _failure(target, project, child.stdout + child.stderr)
        raise PlatformError(
            "dbt could not build the marts", where=where, why=why,
            remedy=f"Correct it and run the command again; the log is {logs / 'dbt.log'}. The marts stand as before.",
        )  # fmt: skip
    manifest: dict[str, Any] = json.loads((target / "manifest.json").read_text())
    return manifest


def _failure(target: Path, project: Path, output: str) -> tuple[str, str]:
    """Name the models and tests that failed and the first reason; what dbt printed where it came to none."""
    try:
        results = json.loads((target / "run_results.json").read_text())["results"]
    except (OSError, ValueError, KeyError):
        results = []
    failed = [result for result in results if result["status"] in FAILED]
    if not failed:
        return str(project), " ".join(output.split())[-REASON_CHARACTERS:]
    # unique_id is kind.project.name, for a test with a hash behind it.
    names = [" ".join(str(result["unique_id"]).split(".")[:3:2]) for result in failed]
    reason = " ".join(str(failed[0]["message"] or failed[0]["status"]).split())
    return ", ".join(names), COMPILED.sub("", reason)[:REASON_CHARACTERS]
