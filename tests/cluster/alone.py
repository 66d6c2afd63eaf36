"""Runs a script of this folder on a machine of its own: no address, no process and no port of the real one."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.kube.namespaces import private, require_namespaces

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]


def run_alone(script: str, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run it; skipped on a laptop without namespaces, a failure in CI."""
    require_namespaces()
    done = subprocess.run(
        [*private("--net", "--pid", "--fork", "--mount-proc", "--kill-child"), sys.executable, str(HERE / script),
         *arguments],
        cwd=PROJECT, env=os.environ | environment, capture_output=True, text=True, timeout=540,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return done


def last_json(text: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(next(line for line in reversed(text.splitlines()) if line.startswith("{")))
    return told
