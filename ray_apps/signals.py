"""Ctrl-C, SIGTERM and SIGHUP: what they interrupt and what they wait for; knows no server and no step.

A signal that the caller has set to be ignored (`nohup`, a background job of a shell) stays ignored.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TypeVar

Server = TypeVar("Server")
STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def interrupt_on_signals() -> None:
    """Let every stop signal raise KeyboardInterrupt, so that all `finally` blocks run."""
    for number in _heeded():
        signal.signal(number, _interrupt)


@contextmanager
def started(server: AbstractContextManager[Server]) -> Iterator[Server]:
    """Start a server whole and end it whole: one that is started half belongs to nobody and stays behind.

    Args:
        server: Starts on enter, ends on exit.

    Yields:
        What the server gives. A signal that arrives while it starts or ends interrupts right after that.
    """
    stack = ExitStack()
    try:
        with held():
            value = stack.enter_context(server)
        yield value
    finally:
        with held():
            stack.close()


@contextmanager
def held() -> Iterator[None]:
    """Keep signals until the end of a block, then interrupt if one came; handlers set meanwhile are replaced."""
    arrived: list[int] = []
    before = {number: signal.getsignal(number) for number in _heeded()}
    for number in before:
        signal.signal(number, lambda got, frame: arrived.append(got))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if arrived:
        raise KeyboardInterrupt


def wait_for_stop() -> None:
    """Sleep until the first stop signal; it interrupts nothing."""
    stopped = threading.Event()
    for number in _heeded():
        signal.signal(number, lambda *_: stopped.set())
    stopped.wait()


def ignore_signals() -> None:
    """Let the last end run to its end: what it leaves half-way would stay."""
    for number in STOP:
        signal.signal(number, signal.SIG_IGN)


def _heeded() -> list[signal.Signals]:
    return [number for number in STOP if signal.getsignal(number) is not signal.SIG_IGN]


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt
