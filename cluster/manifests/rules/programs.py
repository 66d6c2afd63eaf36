"""Rules about the programs that manifests name: they are in the project; looks at its files and imports none."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from cluster.manifests.objects import Overlay
from cluster.manifests.rules.parts import containers
from cluster.manifests.rules.rayservice import serve_config
from cluster.manifests.rules.rule import Change, Found, Rule
from cluster.manifests.tools import PROJECT

MODULE = re.compile(r"-m ([\w.]+)")


def _file(module: str) -> Path | None:
    path = PROJECT.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def _names(file: Path) -> Iterator[str]:
    """Give what a module defines at its top."""
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((alias.asname or alias.name) for alias in node.names)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def _modules(overlay: Overlay) -> Iterator[Found]:
    remedy = "Name a module of the project."
    for job in overlay.of("RayJob"):
        for module in MODULE.findall(str(job.spec.get("entrypoint", ""))):
            if not _file(module):
                yield Found(job, "spec.entrypoint", f"There is no module {module}", remedy)
    for container in containers(overlay):
        for field in ("command", "args"):
            for module in MODULE.findall(" ".join(map(str, container.body.get(field) or ()))):
                if not _file(module):
                    yield container.found(field, f"There is no module {module}", remedy)


def _import_paths(overlay: Overlay) -> Iterator[Found]:
    for manifest in overlay.of("RayService"):
        for position, application in enumerate(serve_config(manifest).get("applications") or ()):
            module, _, name = str(application.get("import_path", "")).partition(":")
            file = _file(module)
            if not file or name not in _names(file):
                yield Found(
                    manifest, f"spec.serveConfigV2.applications.{position}.import_path",
                    f"There is no {name or 'attribute'} in a module {module} of the project",
                    "Name a module and what it defines: serve.app:gateway.",
                )  # fmt: skip


RULES = (
    Rule(
        "programs-exist", "house", "A module that a job or a container runs is in the project.", _modules,
        (Change("Job retail-migrate", "spec.template.spec.containers.0.command.2", "ray_apps.migrations"),),
    ),
    Rule(
        "import-paths-exist", "house", "What Serve imports is in the project.", _import_paths,
        (Change("RayService retail-api", "spec.serveConfigV2.applications.0.import_path", "serve.app:gatway"),),
    ),
)  # fmt: skip
