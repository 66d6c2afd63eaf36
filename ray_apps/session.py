"""What a command that writes needs around its steps: warehouse, Ray, lease, a record of the run; knows no step."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cluster.errors import PlatformError
from cluster.lakehouse import LakeWriter
from cluster.lease import Lease
from cluster.ray_session import RaySession, ray_session
from cluster.settings import Settings
from cluster.storage import Storage, is_local
from cluster.warehouse import migrate, running_warehouse
from pipelines.marts.deploy import deploy_marts
from pipelines.refresh import Step, refresh
from pipelines.runs import end_run, start_run
from pipelines.steps import Report, StepContext, StepResult
from ray_apps.console import say, stdout_is_ours
from ray_apps.signals import started


def new_run_id() -> str:
    """Give the id of a run that starts now; ids sort by time."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


@dataclass
class Run:
    """A run and what it has done so far."""

    run_id: str = field(default_factory=new_run_id)
    results: list[StepResult] = field(default_factory=list)

    @property
    def refusals(self) -> list[dict[str, str]]:
        """The inputs that were refused."""
        return [refusal for result in self.results for refusal in result.refusals]


@dataclass(frozen=True)
class Session:
    """What is running around a command.

    Attributes:
        settings: Of this process.
        url: The warehouse, migrated.
        ray: The Ray it is connected to.
    """

    settings: Settings
    url: str
    ray: RaySession


@contextmanager
def open_session(settings: Settings, *, dashboard: bool = False) -> Iterator[Session]:
    """Start what is embedded, connect to what is not; in reverse order at the end.

    Args:
        settings: Of this process.
        dashboard: Whether a local Ray shows its dashboard.

    Yields:
        The session.
    """
    with stdout_is_ours(), started(running_warehouse(settings)) as url:
        migrate(url)
        deploy_marts(settings, url, say)
        with started(ray_session(settings, dashboard=dashboard)) as ray:
            yield Session(settings, url, ray)


@dataclass(frozen=True)
class Order:
    """What a run is to do: the command's name on record, its inputs (files, folders, globs, URLs) and its steps."""

    command: str
    inputs: Sequence[str]
    steps: Sequence[Step]


def run_steps(session: Session, order: Order, report: Report, run: Run | None = None) -> Run:
    """Run steps under the lease of the lake, on record in ops.runs.

    Args:
        session: What is running.
        order: What to do.
        report: Progress.
        run: A new one, for a caller who wants to see what it did before it failed.

    Returns:
        The run with its results.

    Raises:
        PlatformError: A step failed, or another run holds the lease.
    """
    run = run or Run()
    storage = Storage.of(session.settings)
    with Lease.take(storage, run.run_id, session.settings.lease_s) as lease:
        context = StepContext(session.settings, LakeWriter(storage, lease), report, say)
        start_run(session.url, run.run_id, order.command)
        try:
            refresh(context, session.url, order.inputs, order.steps, run.results.append)
        except BaseException as error:
            end_run(session.url, run.run_id, "failed", _reason(error), [result.as_dict() for result in run.results])
            raise
        reason = f"{len(run.refusals)} inputs refused" if run.refusals else None
        steps = [result.as_dict() for result in run.results]
        end_run(session.url, run.run_id, "failed" if reason else "succeeded", reason, steps)
    return run


def _reason(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    return str(error) if isinstance(error, PlatformError) else f"{type(error).__name__}: {error}"


def absolute_inputs(inputs: Sequence[str]) -> list[str]:
    """Make local inputs absolute, as seen from the folder the command was called in."""
    return [
        str(Path(named.removeprefix("file://")).expanduser().absolute()) if is_local(named) else named
        for named in inputs
    ]
