"""Starts or joins Ray, the only room that calls `ray.init` and `ray.shutdown`; knows no job.

Without `RAY_ADDRESS` a session starts its own local Ray (never one it finds by chance) and ends it.
"""

import hashlib
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cluster.errors import ConfigurationError, RetryableError
from cluster.java import java_environment
from cluster.ports import free_port
from cluster.settings import Settings, ray_address, set_environment, temporary_environment


@dataclass(frozen=True)
class RaySession:
    """A Ray that this process is connected to.

    Attributes:
        address: GCS address, host:port.
        dashboard_url: URL of the dashboard, empty when it has none.
        is_own: Whether this process started it and will end it.
        cpus: CPUs of the cluster.
    """

    address: str
    dashboard_url: str
    is_own: bool
    cpus: int


LOCAL_ENVIRONMENT = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
}
"""For a Ray of our own: no token file, and every port on the loopback address (Ray's switch for desktops; without it
GCS, raylet and workers listen on all interfaces)."""
COMMON_ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
"""No usage reports, and tasks see all devices."""


@contextmanager
def ray_session(settings: Settings, *, dashboard: bool = False) -> Iterator[RaySession]:
    """Connect to Ray for the length of a block.

    Args:
        settings: Home, CPUs, object store and dashboard port of a local Ray.
        dashboard: Whether a local Ray also starts its dashboard.

    Yields:
        The session.

    Raises:
        ConfigurationError: The home lies in Ray's own runtime folder.
        RetryableError: The Ray that `RAY_ADDRESS` names does not answer.
    """
    joined = ray_address()
    set_environment(COMMON_ENVIRONMENT if joined else COMMON_ENVIRONMENT | LOCAL_ENVIRONMENT)
    import ray  # after the environment that it reads at import

    if joined:
        refuse_runtime_home(settings.home)
        context = _join(joined)
    else:
        with temporary_environment(**_java()):
            context = _start(settings, dashboard)
    _quiet_ray_data()
    try:
        dashboard_url = f"http://{context.dashboard_url}" if context.dashboard_url else ""
        yield RaySession(
            context.address_info["gcs_address"], dashboard_url, not joined, int(ray.cluster_resources().get("CPU", 1))
        )
    finally:
        ray.shutdown()  # noqa: TID251 - this is the room


def refuse_runtime_home(home: Path) -> None:
    """Refuse a home inside a folder that Ray makes for a job and throws away.

    Args:
        home: Absolute `RETAIL_HOME`.

    Raises:
        ConfigurationError: It lies in one.
    """
    parts = home.resolve().parts
    if "runtime_resources" in parts or "working_dir_files" in parts:
        raise ConfigurationError(
            "RETAIL_HOME lies inside Ray's runtime folder, which is thrown away after the job",
            where=str(home),
            remedy="Pass an absolute one on a shared disk in the job's runtime environment: "
            '--runtime-env-json \'{"env_vars": {"RETAIL_HOME": "/absolute/path"}}\'.',
        )


def temp_folder(home: Path) -> Path:
    """Give the folder of a home's local Ray: short, since Unix socket names end at 107 characters."""
    digest = hashlib.sha256(str(home).encode()).hexdigest()[:8]
    return Path(tempfile.gettempdir()) / f"retail-{os.getuid()}-{digest}"


def _start(settings: Settings, dashboard: bool):  # type: ignore[no-untyped-def]
    import ray

    return ray.init(  # noqa: TID251 - this is the room
        address="local",
        num_cpus=settings.num_cpus,
        object_store_memory=settings.object_store_mb * 1_000_000,
        include_dashboard=dashboard,
        dashboard_host="127.0.0.1",
        dashboard_port=free_port(settings.dashboard_port) if dashboard else None,
        _temp_dir=str(temp_folder(settings.home)),
        log_to_driver=False,
        logging_level=logging.ERROR,
    )


def _java() -> dict[str, str]:
    """Give the node the Java that Spark's executors need: Ray looks once, at the start; none is no obstacle yet."""
    try:
        return java_environment()
    except ConfigurationError:
        return {}


def _join(address: str):  # type: ignore[no-untyped-def]
    import ray

    try:
        return ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)  # noqa: TID251 - this is the room
    except ConnectionError as error:
        raise RetryableError(
            "Ray does not answer",
            where=address,
            why=str(error),
            remedy="Start it, or unset RAY_ADDRESS for a local one.",
        ) from error


def _quiet_ray_data() -> None:
    from ray.data import DataContext

    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
