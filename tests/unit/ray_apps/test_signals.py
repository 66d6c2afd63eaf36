"""Signals: a server is started whole and ended whole, whenever they come; what the caller ignores stays ignored."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ray_apps.signals import STOP, held, ignore_signals, interrupt_on_signals, started, wait_for_stop


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Give pytest its own handlers back."""
    before = {number: signal.getsignal(number) for number in STOP}
    interrupt_on_signals()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Server:
    """Notes what happens to it; a signal may arrive while it starts or ends."""

    def __init__(self, at_start: signal.Signals | None = None, at_end: signal.Signals | None = None) -> None:
        self.told: list[str] = []
        self.at_start, self.at_end = at_start, at_end

    @contextmanager
    def running(self) -> Iterator[str]:
        self.told.append("starting")
        if self.at_start:
            signal.raise_signal(self.at_start)
        self.told.append("up")
        try:
            yield "address"
        finally:
            self.told.append("ending")
            if self.at_end:
                signal.raise_signal(self.at_end)
            self.told.append("down")


WHOLE = ["starting", "up", "ending", "down"]


@pytest.mark.parametrize("number", STOP)
def test_a_signal_interrupts(number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)


@pytest.mark.parametrize("number", STOP)
def test_a_server_that_is_starting_gets_up_and_is_ended(number: signal.Signals) -> None:
    server, reached = Server(at_start=number), False
    with pytest.raises(KeyboardInterrupt), started(server.running()):
        reached = True
    assert server.told == WHOLE
    assert not reached


@pytest.mark.parametrize("number", STOP)
def test_a_server_that_is_ending_gets_down(number: signal.Signals) -> None:
    server, outer = Server(at_end=number), Server(at_end=number)
    with pytest.raises(KeyboardInterrupt), started(outer.running()), started(server.running()) as address:
        assert address == "address"
    assert server.told == outer.told == WHOLE


def test_a_second_signal_during_the_end_loses_nothing() -> None:
    server = Server(at_end=signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), started(server.running()):
        signal.raise_signal(signal.SIGINT)
    assert server.told == WHOLE


def test_an_error_ends_the_server_and_comes_through() -> None:
    server = Server()
    with pytest.raises(ZeroDivisionError), started(server.running()):
        _ = 1 / 0
    assert server.told == WHOLE


def test_a_server_that_does_not_start_says_why() -> None:
    @contextmanager
    def broken() -> Iterator[None]:
        raise RuntimeError("no port")
        yield

    with pytest.raises(RuntimeError, match="no port"), started(broken()):
        pass


def test_handlers_are_back_after_a_block_even_when_the_server_set_its_own() -> None:
    ours = signal.getsignal(signal.SIGTERM)
    with held():
        signal.signal(signal.SIGTERM, lambda *_: None)  # as ray.init does
    assert signal.getsignal(signal.SIGTERM) is ours


def test_what_the_caller_ignores_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    interrupt_on_signals()
    with held():
        signal.raise_signal(signal.SIGHUP)
    signal.raise_signal(signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_the_last_end_ignores_everything() -> None:
    ignore_signals()
    for number in STOP:
        signal.raise_signal(number)


@pytest.mark.parametrize("number", STOP)
def test_waiting_ends_with_the_first_signal(number: signal.Signals) -> None:
    timer = threading.Timer(0.05, signal.pthread_kill, (threading.main_thread().ident, number))
    timer.start()
    wait_for_stop()
    timer.join()
