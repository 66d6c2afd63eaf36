"""`retail serve`: the API over the warehouse as it stands, until the terminal says stop."""

from collections.abc import Iterator
from contextlib import contextmanager

from cluster.errors import RetryableError
from cluster.settings import Settings
from ray_apps.console import hush_libraries, say, show_json
from ray_apps.session import Session, open_session
from ray_apps.signals import ignore_signals, wait_for_stop


def serve_until_stopped(settings: Settings, as_json: bool) -> None:
    """Serve until Ctrl-C.

    Args:
        settings: Of this process.
        as_json: Whether to print the addresses as JSON once it answers.
    """
    from serve.app import refuse_taken_port

    refuse_taken_port(settings.http_host, settings.http_port)
    with open_session(settings, dashboard=True) as session, serving(session):
        base, dashboard = base_url(settings), session.ray.dashboard_url
        if as_json:
            show_json({"url": base, "docs": f"{base}/docs", "dashboard": dashboard})
        say(f"API and page: {base}   docs: {base}/docs   Ray dashboard: {dashboard or 'none'}   Ctrl-C ends it.")
        wait_for_stop()


@contextmanager
def serving(session: Session) -> Iterator[None]:
    """Serve the API for the length of a block, the last of a command: signals that come while it ends change nothing.

    Args:
        session: With a warehouse that runs.

    Yields:
        Once the API answers.

    Raises:
        RetryableError: It did not get ready in time.
    """
    from serve.app import start, stop

    try:
        start(session.settings)
    except (KeyboardInterrupt, RetryableError):
        stop()
        raise
    try:
        yield
    finally:
        ignore_signals()
        say("Stopping …")
        # Serve's controller is killed while a call to it is open, and Ray tells every terminal that this call failed.
        hush_libraries()
        stop()


def base_url(settings: Settings) -> str:
    """Give the API's address for a person of this machine; one that listens everywhere is reached by the loopback."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.http_host, settings.http_host)
    return f"http://[{host}]:{settings.http_port}" if ":" in host else f"http://{host}:{settings.http_port}"
