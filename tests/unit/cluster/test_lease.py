import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cluster import lease as lease_module
from cluster.errors import RetryableError
from cluster.lease import Lease, Owner, _commit, _state
from cluster.storage import Storage

TAKE_AND_DIE = """
import os, sys
from cluster.lease import Lease
from cluster.storage import Storage
Lease.take(Storage(sys.argv[1]), "dead run", 600)
print(os.getpid(), flush=True)
os._exit(1)
"""


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(str(tmp_path / "lake"))


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is committed seems to come from another machine, of which nothing can be said but its expiry."""
    this = Owner.this_process()
    monkeypatch.setattr(Owner, "this_process", classmethod(lambda cls: replace(this, boot_id="another boot")))
    yield
    monkeypatch.undo()


def wait_until(holds: "threading.Event") -> None:
    assert holds.wait(20)


def test_a_second_taker_is_refused_with_the_name_of_the_first(storage: Storage) -> None:
    with Lease.take(storage, "first", 600), pytest.raises(RetryableError) as caught:
        Lease.take(storage, "second", 600)
    assert "run first" in caught.value.why
    assert caught.value.remedy


def test_after_release_the_next_one_takes_it_with_a_larger_number(storage: Storage) -> None:
    numbers = []
    for run in ("a", "b", "c"):
        with Lease.take(storage, run, 600) as lease:
            lease.check()
            numbers.append(lease.number)
    assert numbers == sorted(set(numbers))
    assert numbers[0] == 1


def test_a_dead_owner_is_taken_over_at_once(storage: Storage) -> None:
    child = subprocess.run(
        [sys.executable, "-c", TAKE_AND_DIE, storage.root], capture_output=True, text=True, check=False
    )
    _, state = _state(storage)
    assert state["owner"]["pid"] == int(child.stdout), child.stderr
    assert state["expires_at"] > time.time() + 500
    with Lease.take(storage, "next", 600) as lease:
        lease.check()
        assert lease.number == 2


def test_a_reused_pid_is_another_process() -> None:
    this = Owner.this_process()
    assert not this.is_dead()
    assert replace(this, started="1").is_dead()
    assert not replace(this, started="1", pid_namespace="pid:[1]").is_dead()
    assert not replace(this, started="1", boot_id="another").is_dead()


@pytest.mark.usefixtures("elsewhere")
def test_a_silent_owner_elsewhere_keeps_it_until_it_expires(storage: Storage) -> None:
    _commit(storage, 1, "far", 600)
    with pytest.raises(RetryableError):
        Lease.take(storage, "next", 600)
    _commit(storage, 2, "far", 1e-6)
    with Lease.take(storage, "next", 600) as lease:
        assert lease.number == 3


@pytest.mark.usefixtures("elsewhere")
def test_a_lost_lease_is_noticed_and_left_to_its_new_owner(storage: Storage) -> None:
    lost = Lease.take(storage, "slow", 600)
    _commit(storage, 2, "slow", 1e-6)
    with Lease.take(storage, "quick", 600) as lease:
        with pytest.raises(RetryableError, match="lost"):
            lost.check()
        lost.release()
        lease.check()
        assert _state(storage)[1]["run_id"] == "quick"
    with pytest.raises(RetryableError, match="lost"):
        lost.check()


def test_a_silent_owner_whose_lease_nobody_took_goes_on(storage: Storage) -> None:
    lease = Lease.take(storage, "slow", 600)
    lease._expires_at = 0
    lease.check()
    assert _state(storage)[0] == 2
    lease.release()


def test_it_is_renewed_while_it_is_held_even_after_the_store_failed_once(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewed, failed = threading.Event(), threading.Event()
    commit = lease_module._commit

    def commit_later(*arguments, **options) -> None:  # type: ignore[no-untyped-def]
        if threading.current_thread().name == "lease" and not failed.is_set():
            failed.set()
            raise OSError("the store is away")
        commit(*arguments, **options)
        if threading.current_thread().name == "lease":
            renewed.set()

    monkeypatch.setattr(lease_module, "_commit", commit_later)
    with Lease.take(storage, "long", 0.3) as lease:
        first = _state(storage)[1]["expires_at"]
        wait_until(renewed)
        assert failed.is_set()
        number, state = _state(storage)
        assert number > lease.number
        assert state["expires_at"] > first
        lease.check()


@pytest.mark.parametrize("before", [0, 1])
def test_of_simultaneous_takers_one_wins(storage: Storage, before: int) -> None:
    for run in range(before):
        Lease.take(storage, str(run), 600).release()
    start = threading.Barrier(4)
    won: list[Lease] = []
    refused: list[RetryableError] = []

    def take(name: str) -> None:
        start.wait()
        try:
            won.append(Lease.take(storage, name, 600))
        except RetryableError as error:
            refused.append(error)

    takers = [threading.Thread(target=take, args=(f"run {n}",)) for n in range(4)]
    for taker in takers:
        taker.start()
    for taker in takers:
        taker.join()
    assert (len(won), len(refused)) == (1, 3)
    won[0].check()
    won[0].release()
