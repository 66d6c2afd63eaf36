"""What the CronJob runs: makes a RayJob from a template, `python -m ray_apps.launch TEMPLATE --name NAME`.

The name comes from the CronJob's own Job, so a pod that Kubernetes starts a second time makes no second run. That Job
owns the RayJob: it goes from the cluster's records when the CronJob's history drops the Job.
"""

import json as json_format
from pathlib import Path
from typing import Annotated, Any

import typer

from cluster.errors import ConfigurationError
from cluster.kube_api import create_rayjob
from ray_apps.cli import Json
from ray_apps.console import say, show_json
from ray_apps.edge import guarded

MOST_CHARACTERS = 47
"""Of a RayJob's name: KubeRay derives the names of its cluster and pods from it."""
app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def launch(
    template: Annotated[Path, typer.Argument(help="JSON file of a RayJob, for instance from a ConfigMap.")],
    name: Annotated[str, typer.Option(envvar="RETAIL_LAUNCH_NAME", help="Name of the RayJob to create.")],
    owner: Annotated[str, typer.Option(help="Job that owns it; empty: none.")] = "",
    owner_uid: Annotated[str, typer.Option(help="Its uid.")] = "",
    json: Json = False,
) -> None:
    """Create a RayJob; where one of this name exists already nothing changes."""
    is_new = create_rayjob(owned(named(read_template(template), name), owner, owner_uid))
    if json:
        show_json({"rayjob": name, "created": is_new})
    else:
        say(f"RayJob {name}: {'created' if is_new else 'it exists already, nothing to do'}.")


def read_template(path: Path) -> dict[str, Any]:
    """Read the template.

    Args:
        path: JSON file.

    Returns:
        The RayJob, without a name of its own.

    Raises:
        ConfigurationError: It is not there, or no RayJob.
    """
    try:
        body = json_format.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise _no_template(path, str(error)) from error
    if not isinstance(body, dict) or body.get("kind") != "RayJob" or not isinstance(body.get("spec"), dict):
        raise _no_template(path, "it holds no object of kind RayJob with a spec")
    return body


def named(template: dict[str, Any], name: str) -> dict[str, Any]:
    """Make the RayJob to create: the template under this name, which starts at once.

    Args:
        template: From `read_template`.
        name: Of the RayJob.

    Returns:
        The object.

    Raises:
        ConfigurationError: The name is too long.
    """
    if not name or len(name) > MOST_CHARACTERS:
        raise ConfigurationError(
            "The name of a RayJob is too long or empty", where="--name", why=f"{name!r} has {len(name)} characters",
            remedy=f"At most {MOST_CHARACTERS}: give the CronJob a shorter name.",
        )  # fmt: skip
    metadata = {**template.get("metadata", {}), "name": name}
    return {**template, "metadata": metadata, "spec": {**template["spec"], "suspend": False}}


def owned(rayjob: dict[str, Any], owner: str, uid: str) -> dict[str, Any]:
    """Let a Job own a RayJob, so that Kubernetes deletes both together.

    Args:
        rayjob: From `named`.
        owner: Name of the Job; empty for none.
        uid: Its uid.

    Returns:
        The object.
    """
    if not owner:
        return rayjob
    reference = {"apiVersion": "batch/v1", "kind": "Job", "name": owner, "uid": uid}
    return {**rayjob, "metadata": {**rayjob["metadata"], "ownerReferences": [reference]}}


def _no_template(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        "The template of the RayJob cannot be read", where=str(path), why=why,
        remedy="Mount the ConfigMap of the templates there.",
    )  # fmt: skip


if __name__ == "__main__":
    guarded(app)
