"""What the lock file says about the versions that the image holds; knows no manifest."""

import re
import tomllib
from pathlib import Path

from cluster.errors import ConfigurationError
from cluster.manifests.objects import Versions
from cluster.manifests.tools import PROJECT


def locked(project: Path = PROJECT) -> Versions:
    """Read the versions of the lock file, and Python's of the project's file.

    Args:
        project: The folder that holds `requirements.lock` and `pyproject.toml`.

    Returns:
        The versions.

    Raises:
        ConfigurationError: A file or a package is missing.
    """
    lock, file = project / "requirements.lock", project / "pyproject.toml"
    try:
        packages = dict(re.findall(r"^([\w.-]+)==(\S+)$", lock.read_text(), re.MULTILINE))
        python = tomllib.loads(file.read_text())["project"]["requires-python"]
        return Versions(
            ray=packages["ray"],
            python=re.findall(r"\d+\.\d+", python)[0],
            pyspark=packages["pyspark"],
            raydp=packages["raydp"],
        )
    except (OSError, KeyError, IndexError) as error:
        raise ConfigurationError(
            "The versions of the image cannot be read", where=f"{lock}, {file}", why=str(error),
            remedy="Run it in a checkout of the repository; `make lock` writes the lock file.",
        ) from error  # fmt: skip
