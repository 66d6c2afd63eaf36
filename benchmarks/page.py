"""Writes a benchmark's part of docs/benchmarks.md, with the machine that measured it; knows no benchmark."""

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

PROJECT = Path(__file__).parents[1]


def measured_on(command: str, load: float, packages: Sequence[str]) -> str:
    """Say by which command, when, on which machine, with which packages and at which load it was measured."""
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return (
        f"`{command}` on {datetime.now(UTC):%Y-%m-%d}: {os.cpu_count()} cores ({_cpu()}), "
        f"{psutil.virtual_memory().total / 1e9:.0f} GB, Python {platform.python_version()}, {versions}; "
        f"load when it began {load:.2f}."
    )


def write_part(name: str, lines: Sequence[str]) -> None:
    """Put lines between the markers of a benchmark, and print them."""
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    page = PROJECT / "docs" / "benchmarks.md"
    before, _, rest = page.read_text().partition(start)
    page.write_text(before + "\n".join([start, "", *lines, "", end]) + rest.partition(end)[2])
    print("\n".join(lines))


def _cpu() -> str:
    named = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if "model name" in line
    ]
    return named[0] if named else platform.machine()
