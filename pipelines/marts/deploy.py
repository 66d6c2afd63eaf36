"""Brings the definitions of the marts from the dbt project to the warehouse when they changed; knows no lake.

dbt builds and tests what changed in schemas beside the ones that are read; then one transaction puts it in place, so
readers see the old definitions or the new ones, and a failing test leaves the old ones.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

import warehouse_sql
from cluster.errors import PlatformError, RetryableError
from cluster.settings import Settings
from cluster.warehouse import PUBLISH_LOCK, connect, masked
from pipelines.marts.dbt import environment, find_dbt, run_dbt, version_of
from pipelines.marts.exchange import Name, drop_beside, new_suffix, put_in_place
from warehouse_sql.statements import statement

PROJECT = Path(warehouse_sql.__file__).parent / "dbt"
WRITTEN_BY_DBT = frozenset({"target", "logs", "dbt_packages"})
Say = Callable[[str], None]


@dataclass(frozen=True)
class Deployment:
    """What a deployment did.

    Attributes:
        built: Marts and seeds that are new or were renewed, with their schema.
        removed: Those that the project no longer has.
        seconds: What it took; 0 when there was nothing to do and dbt did not run.
    """

    built: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    seconds: float = 0.0


def deploy_marts(settings: Settings, url: str, say: Say = lambda text: None, project: Path = PROJECT) -> Deployment:
    """Deploy the marts whose definitions changed, with all that read them; nothing to do when none did.

    Args:
        settings: `dbt` and `home`, where dbt's log goes.
        url: The warehouse, migrated.
        say: Gets a line before and after the work.
        project: Folder of the dbt project.

    Returns:
        What was done.

    Raises:
        ConfigurationError: dbt is missing.
        RetryableError: The warehouse broke off, or readers held the marts for too long.
        PlatformError: A model or test failed, or something else reads a mart that changes; the marts stand as before.
    """
    wanted = project_hash(project)
    try:
        with connect(url, autocommit=True) as connection:
            if _stands(connection, wanted):
                return Deployment()
            dbt = find_dbt(settings)
            connection.execute("SELECT pg_advisory_lock(%s)", (PUBLISH_LOCK,))
            if _stands(connection, wanted):  # another command deployed while this one waited
                return Deployment()
            say("marts: deploying what changed")
            return _deploy(_Work(connection, url, settings.home / "logs" / "dbt", dbt, project, wanted), say)
    except psycopg.errors.DependentObjectsStillExist as error:
        raise PlatformError(
            "Something outside the project reads a mart that changes", where="marts",
            why=error.diag.message_detail or str(error),
            remedy="Drop it, deploy, and make it again; the marts stand as before.",
        ) from error  # fmt: skip
    except psycopg.OperationalError as error:
        raise RetryableError(
            "The warehouse broke off the deployment of the marts", where=masked(url),
            why=str(error).strip().partition("\n")[0],
            remedy="Run the command again; the marts stand as before.",
        ) from error  # fmt: skip


def project_hash(project: Path) -> str:
    """Give the hash of all files of a project; requirements.lock among them says which dbt it is for.

    Args:
        project: Its folder.

    Returns:
        Hexadecimal SHA-256.
    """
    digest = sha256()
    for file in sorted(path for path in project.rglob("*") if path.is_file()):
        name = file.relative_to(project)
        if name.parts[0] not in WRITTEN_BY_DBT and not file.name.startswith("."):
            content = file.read_bytes()
            digest.update(f"{name.as_posix()}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _stands(connection: psycopg.Connection[Any], wanted: str) -> bool:
    """Say whether just this project is deployed and all of it is still there."""
    row = connection.execute(statement("marts/deployed").encode(), {}).fetchone()
    return row == (wanted, [])


@dataclass(frozen=True)
class _Work:
    """What a deployment works with; the connection holds the lock."""

    connection: psycopg.Connection[Any]
    url: str
    logs: Path
    dbt: Path
    project: Path
    wanted: str


def _deploy(work: _Work, say: Say) -> Deployment:
    began = time.monotonic()
    work.logs.mkdir(parents=True, exist_ok=True)
    drop_beside(work.connection)  # of deployments that were killed
    last = work.connection.execute(statement("marts/manifest").encode()).fetchone()
    before = last[0] if last else None
    suffix = new_suffix()
    try:
        with TemporaryDirectory(dir=work.logs, prefix="build-") as folder:
            manifest = _build(work, before if _is_comparable(work, before) else None, suffix, Path(folder))
        removed = sorted(_names(before) - _names(manifest)) if before else []
        record = {"project_hash": work.wanted, "manifest": Jsonb(manifest)}
        built = put_in_place(work.connection, suffix, removed, record)
    finally:
        if not work.connection.closed:
            drop_beside(work.connection, suffix)
    seconds = time.monotonic() - began
    for what, names in (("built", built), ("removed", removed)):
        if names:
            say(f"marts: {', '.join(name for _, name in names)} {what} in {seconds:.1f} s")
    return Deployment(tuple(map(".".join, built)), tuple(map(".".join, removed)), seconds)


def _is_comparable(work: _Work, before: dict[str, Any] | None) -> bool:
    """Say whether only what differs from the manifest deployed last must be built.

    Everything is built when a mart is gone, the database has another name, or another dbt wrote the manifest.
    """
    row = work.connection.execute(statement("marts/deployed").encode(), {}).fetchone()
    if before is None or row is None or row[1]:
        return False
    version = before["metadata"]["dbt_version"]
    databases = {node["database"] for node in before["nodes"].values()}
    return version == (version_of(work.dbt) or version) and databases <= {work.connection.info.dbname}


def _build(work: _Work, before: dict[str, Any] | None, suffix: str, folder: Path) -> dict[str, Any]:
    """Let dbt build and test what changed, in schemas beside the ones that are read; give the manifest to keep."""
    target, state = folder / "target", folder / "state"
    target.mkdir()
    command = [str(work.dbt), "build", "--full-refresh"]
    if before is not None:
        state.mkdir()
        (state / "manifest.json").write_text(json.dumps(before))
        # What is not built again is read where it stands.
        command += ["--select", "state:modified+", "--state", str(state), "--defer", "--favor-state"]
    environ = environment(work.connection, work.url, suffix)
    return _kept(run_dbt(command, work.project, target, work.logs, environ), suffix)


def _kept(manifest: dict[str, Any], suffix: str) -> dict[str, Any]:
    """Say of every relation where it will stand, and leave out paths of this machine and what the user's shell said."""
    manifest["metadata"] |= {"env": {}, "user_id": None}
    for node in manifest["nodes"].values():
        node["schema"] = node["schema"].removesuffix(suffix)
        if node.get("relation_name"):
            node["relation_name"] = node["relation_name"].replace(f'{suffix}"', '"')
        for name in ("build_path", "compiled_path", "compiled_code", "root_path"):
            node.pop(name, None)
    return manifest


def _names(manifest: dict[str, Any]) -> set[Name]:
    """Give schema and name of every mart and seed of a project."""
    nodes = (node for node in manifest["nodes"].values() if node["resource_type"] in ("model", "seed"))
    return {(str(node["schema"]), str(node["alias"])) for node in nodes}
