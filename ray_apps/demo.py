"""`retail demo`: everything once, on a sample or on a person's own files, and what to try next."""

from collections.abc import Sequence

from cluster.errors import PlatformError
from cluster.settings import Settings
from cluster.storage import Storage
from pipelines.refresh import STEPS
from ray_apps.console import OUT, ProgressReport, say
from ray_apps.reports import exit_code, is_all_refused, show_broken, show_run
from ray_apps.sampling import sample_files
from ray_apps.serving import base_url, serving
from ray_apps.session import Order, Run, Session, absolute_inputs, open_session, run_steps
from ray_apps.signals import wait_for_stop

SEED = 1
TRY_NEXT = (
    "/api/v1/datamart/overview",
    "/api/v1/datamart/revenue?granularity=month&group_by=country&limit=5",
    "/api/v1/sales?country=France&limit=3",
)


def run_demo(settings: Settings, inputs: Sequence[str], lines: int) -> int:
    """Refresh everything, serve it, and stay until Ctrl-C.

    Args:
        settings: Of this process.
        inputs: A person's own files; without any a sample is made below the home.
        lines: Lines of the sample.

    Returns:
        Exit code: 1 when an input was refused; when all were, nothing is served.
    """
    from serve.app import refuse_taken_port

    refuse_taken_port(settings.http_host, settings.http_port)
    run = Run()
    named = absolute_inputs(inputs) or [_sample(settings, lines)]
    say("Starting PostgreSQL and Ray …")
    with open_session(settings, dashboard=True) as session:
        try:
            with ProgressReport() as report:
                run_steps(session, Order("demo", named, STEPS), report, run)
        except PlatformError as error:
            return show_broken(run, error, as_json=False)
        if is_all_refused(run):
            show_run(run)
            return 1
        say("Starting the API …")
        with serving(session):
            show_run(run)
            _show_next(session)
            wait_for_stop()
    return exit_code(run)


def _sample(settings: Settings, lines: int) -> str:
    with ProgressReport() as report:
        return str(sample_files(settings, lines, SEED, settings.home / "sample", report).data)


def _show_next(session: Session) -> None:
    base = base_url(session.settings)
    OUT.print(f"\n[bold]The platform is up.[/bold] Lake: {Storage.of(session.settings).root}\n")
    for what, address in (
        ("page", f"{base}/"),
        ("API docs", f"{base}/docs"),
        ("Ray dashboard", session.ray.dashboard_url),
    ):
        OUT.print(f"  {what:<14} {address}", soft_wrap=True)
    OUT.print("\nTry next, in another terminal:")
    for path in TRY_NEXT:
        OUT.print(f"  curl '{base}{path}'", soft_wrap=True)
    OUT.print("  .venv/bin/retail status\n\nCtrl-C ends everything that was started here.")
