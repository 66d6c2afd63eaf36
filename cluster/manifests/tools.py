"""Finds kubectl, which renders what stands in `kuberay/`; knows no manifest."""

import json
import re
import shutil
import subprocess
from pathlib import Path

from cluster.errors import ConfigurationError

PROJECT = Path(__file__).parents[2]
FOLDER = PROJECT / ".kube-tools"
"""Where `cluster/kube_tools.sh` puts the kubectl that it fetches."""
LEAST_KUSTOMIZE = (5, 8)
"""Replacements inside the JSON and YAML that a string holds came with it."""


def find_kubectl() -> Path:
    """Find a kubectl that can render the manifests.

    Returns:
        The one that `cluster/kube_tools.sh` fetched, else that of the PATH.

    Raises:
        ConfigurationError: There is none, or its kustomize is too old.
    """
    fetched = FOLDER / "kubectl"
    if fetched.exists():
        return fetched
    on_path = shutil.which("kubectl")
    if on_path is None:
        raise _missing("there is none in .kube-tools and none on the PATH")
    version = kustomize_version(Path(on_path))
    if version < LEAST_KUSTOMIZE:
        raise _missing(f"the kustomize of {on_path} is {'.'.join(map(str, version)) or 'unknown'}")
    return Path(on_path)


def kustomize_version(kubectl: Path) -> tuple[int, ...]:
    """Ask a kubectl for the major and minor version of its kustomize; empty where it does not answer."""
    command = [str(kubectl), "version", "--client", "--output=json"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        said = json.loads(answer.stdout)["kustomizeVersion"]
    except (ValueError, KeyError):
        return ()
    return tuple(int(number) for number in re.findall(r"\d+", said)[:2])


def _missing(why: str) -> ConfigurationError:
    least = ".".join(map(str, LEAST_KUSTOMIZE))
    return ConfigurationError(
        "kubectl is needed to render the manifests", where="kubectl", why=why,
        remedy=f"Run cluster/kube_tools.sh, which fetches a pinned one (36 MB, by npm) into .kube-tools, or put a"
        f" kubectl with kustomize {least} or newer on the PATH.",
    )  # fmt: skip
