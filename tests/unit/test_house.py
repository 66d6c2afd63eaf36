"""The house is in order: nothing hidden, everything imports, the docs name what is there."""

import importlib
import pkgutil
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from ray_apps import JOBS
from ray_apps.docs import DOCS, pages

PROJECT = Path(__file__).parents[2]
ROOMS = ("cluster", "pipelines", "serve", "warehouse_sql", "ray_apps")
SOURCES = (".py", ".sql", ".csv", ".html", ".css", ".js", ".toml", ".sh", ".mako", ".md")


def git(*arguments: str) -> list[str]:
    return subprocess.run(["git", *arguments], cwd=PROJECT, capture_output=True, text=True).stdout.splitlines()


def tracked() -> list[Path]:
    files = [PROJECT / name for name in git("ls-files")]
    if not files:
        pytest.skip("this is no git checkout")
    return [file for file in files if file.is_file()]


def test_no_source_file_is_ignored() -> None:
    tracked()
    rooms = (*ROOMS, "tests", "docs", "benchmarks")
    files = [file for room in rooms for file in (PROJECT / room).rglob("*") if file.suffix in SOURCES]
    assert len(files) > 100
    ignored = git("check-ignore", "--no-index", *(str(file.relative_to(PROJECT)) for file in files))
    assert [name for name in ignored if "__pycache__" not in name] == []


@pytest.mark.parametrize("room", ROOMS)
def test_every_module_imports(room: str) -> None:
    package = importlib.import_module(room)
    names = [module.name for module in pkgutil.walk_packages(package.__path__, f"{room}.")]
    skipped = ("warehouse_sql.migrations.env",)  # runs at import, by Alembic alone
    assert [importlib.import_module(name).__name__ for name in names if name not in skipped]


def test_every_folder_with_modules_is_a_package() -> None:
    folders = {file.parent for file in tracked() if file.suffix == ".py"}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_modules_stay_readable() -> None:
    code = [file for file in tracked() if file.suffix == ".py" and "tests" not in file.parts]
    long = [file for file in code if len(file.read_text().splitlines()) > 300]
    assert long == []


def test_no_registry_and_no_path_of_a_machine_is_committed() -> None:
    hosts = [f"{name}.{end}" for name, end in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"))]
    machine = re.compile(r"(^|[^\w.])/(work|farm|opt/wheels|opt/pypi)/")
    found = []
    for file in tracked():
        text = file.read_text(errors="ignore")
        if any(host in text for host in hosts) or machine.search(text):
            found.append(file.name)
    assert found == []


def test_targets_of_the_readme_exist() -> None:
    named = set(re.findall(r"make ([a-z-]+)", (PROJECT / "README.md").read_text()))
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


def test_links_of_the_docs_lead_somewhere() -> None:
    for page in [PROJECT / "README.md", *DOCS.glob("*.md")]:
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_every_dependency_is_explained() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    wanted = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    wanted += [name for extra in project["project"]["optional-dependencies"].values() for name in extra]
    wanted += (PROJECT / "warehouse_sql/dbt/requirements.in").read_text().split()
    names = [re.split(r"[\[=<>]", requirement)[0] for requirement in wanted]
    explained = re.findall(r"^\| ([a-z0-9-]+) \|", (DOCS / "dependencies.md").read_text(), re.MULTILINE)
    assert sorted(names) == sorted(name for name in explained if name != "package")


@pytest.mark.parametrize("name", pages())
def test_generated_pages_are_fresh(name: str) -> None:
    assert (DOCS / name).read_text() == pages()[name], "run `make docs`"


def test_jobs_are_modules_with_an_application() -> None:
    for job in JOBS:
        assert importlib.import_module(f"ray_apps.{job}").app.registered_commands


def test_only_the_settings_room_reads_the_environment(tmp_path: Path) -> None:
    """Ruff's ban bites: a module that reads it elsewhere is refused."""
    offender = tmp_path / "offender.py"
    offender.write_text('"""X."""\n\nimport os\n\nHOME = os.environ["HOME"]\n')
    command = [".venv/bin/ruff", "check", "--config", "pyproject.toml", "--select", "TID251", str(offender)]
    if not (PROJECT / command[0]).exists():
        pytest.skip("ruff is not in .venv")
    assert "banned-api" in subprocess.run(command, cwd=PROJECT, capture_output=True, text=True).stdout
