"""`retail serve`: the API over the warehouse as it stands, until the terminal says stop."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from cluster.settings import Settings
from ray_apps.console import say
from ray_apps.session import Session, open_session


def serve_until_stopped(settings: Settings) -> int:
    """Serve until Ctrl-C.

    Args:
        settings: Of this process.

    Returns:
        Exit code 0.
    """
    with open_session(settings, dashboard=True) as session, serving(session):
        say(f"API, page and docs: {base_url(settings)}   Ray dashboard: {session.ray.dashboard_url}   Ctrl-C ends it.")
        wait_for_stop()
    return 0


@contextmanager
def serving(session: Session) -> Iterator[None]:
    """Serve the API for the length of a block; a second Ctrl-C while it ends changes nothing."""
    from serve.app import start, stop

    start(session.settings)
    try:
        yield
    finally:
        ignore_signals()
        say("Stopping …")
        stop()


def wait_for_stop() -> None:
    """Sleep until SIGINT, SIGTERM or SIGHUP."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stopped.set())
    stopped.wait()


def ignore_signals() -> None:
    """Let the end run to its end: what it leaves half-way would stay."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def base_url(settings: Settings) -> str:
    """Give the API's address for a person of this machine."""
    return f"http://{settings.http_host}:{settings.http_port}"
