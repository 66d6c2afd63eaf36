"""`retail doctor`: looks at the machine before the platform does, and names the remedy for what it finds."""

import os
import platform
import shutil
import socket
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from cluster.errors import PlatformError
from cluster.ports import answers
from cluster.settings import Settings, ray_address
from cluster.warehouse import connect
from ray_apps.console import show_json, show_table

LEAST_MEMORY_MB = 3_000
"""A demo's Ray, workers and PostgreSQL together peak below this."""
LEAST_DISK_MB = 2_000


@dataclass(frozen=True)
class Finding:
    """One check: what was looked at, whether it is well, what was found, and what to do if it is not."""

    check: str
    is_well: bool
    found: str
    remedy: str = ""


def examine(settings: Settings, as_json: bool) -> int:
    """Check the machine.

    Args:
        settings: Of this process.
        as_json: Whether to print JSON.

    Returns:
        Exit code: 1 when something is not well.
    """
    findings = [
        _python(),
        _ray(),
        _warehouse(settings),
        _port("API port", settings.http_host, settings.http_port, "Set RETAIL_HTTP_PORT to a free port."),
        _dashboard(settings),
        _memory(),
        _shared_memory(settings),
        _disk(settings.home),
        _namespaces(),
    ]
    if as_json:
        show_json([vars(finding) for finding in findings])
    else:
        rows = [
            (f.check, "well" if f.is_well else "NOT WELL", f.found, f.remedy if not f.is_well else "") for f in findings
        ]
        show_table("Doctor", ("check", "state", "found", "remedy"), rows)
    return 0 if all(finding.is_well for finding in findings) else 1


def _python() -> Finding:
    version = platform.python_version()
    return Finding(
        "Python", version.startswith("3.11."), version, "Run `make install`, which makes a 3.11 environment."
    )


def _ray() -> Finding:
    """Without RAY_ADDRESS each command starts its own; one that is named must be there."""
    version, address = metadata.version("ray"), ray_address()
    if address is None:
        return Finding("Ray", True, f"{version}, a local one for each command")
    host, _, port = address.rpartition("://")[2].rpartition(":")
    is_there = not port.isdigit() or answers(host, int(port))
    state = "answers" if is_there else "does not answer"
    return Finding("Ray", is_there, f"{version}, {address} {state}", "Start it, or unset RAY_ADDRESS for a local one.")


def _warehouse(settings: Settings) -> Finding:
    """Without RETAIL_WAREHOUSE_URL each command starts the embedded one; one that is named must be there."""
    if settings.warehouse_url is None:
        return Finding("warehouse", True, "embedded, started when it is needed")
    try:
        connect(settings.warehouse_url.get_secret_value()).close()
    except PlatformError as error:
        return Finding("warehouse", False, f"{error.where}: {error.why or error.what}", error.remedy)
    return Finding("warehouse", True, "RETAIL_WAREHOUSE_URL answers")


def _port(check: str, host: str, port: int, remedy: str) -> Finding:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return Finding(check, False, f"{host}:{port}: {error.strerror}", remedy)
    return Finding(check, True, f"{host}:{port} is free")


def _dashboard(settings: Settings) -> Finding:
    """A taken port is no fault: the dashboard then takes a free one, and says which."""
    finding = _port("dashboard port", "127.0.0.1", settings.dashboard_port, "")
    note = finding.found if finding.is_well else f"{finding.found}; a free one will be used"
    return Finding(finding.check, True, note)


def _memory() -> Finding:
    free = _meminfo_mb("MemAvailable")
    remedy = "Close other programs, or set RETAIL_OBJECT_STORE_MB and RETAIL_RANGE_BYTES lower."
    return Finding("memory", free >= LEAST_MEMORY_MB, f"{free:,} MB available", remedy)


def _shared_memory(settings: Settings) -> Finding:
    free = shutil.disk_usage("/dev/shm").free // 1_000_000 if Path("/dev/shm").is_dir() else 0
    found = f"{free:,} MB free in /dev/shm, {settings.object_store_mb} MB wanted for Ray's object store"
    return Finding(
        "shared memory", free >= settings.object_store_mb, found, "Enlarge /dev/shm (docker: --shm-size=1g)."
    )


def _disk(home: Path) -> Finding:
    folder = next(parent for parent in (home, *home.parents) if parent.is_dir())
    free = shutil.disk_usage(folder).free // 1_000_000
    return Finding(
        "disk", free >= LEAST_DISK_MB, f"{free:,} MB free for {home}", "Free some, or set RETAIL_HOME elsewhere."
    )


def _namespaces() -> Finding:
    """PostgreSQL refuses to run as root; a user namespace gives it another id without making a user."""
    if os.geteuid() != 0:
        return Finding("user namespaces", True, "not needed: this is no root")
    probe = ["unshare", "--user", "true"]
    works = bool(shutil.which("unshare")) and not subprocess.run(probe, check=False, capture_output=True).returncode
    remedy = "Run as an ordinary user, or set RETAIL_WAREHOUSE_URL; else the server runs as user nobody."
    return Finding("user namespaces", works, "allowed" if works else "forbidden to root", remedy)


def _meminfo_mb(name: str) -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) // 1000
    return 0
