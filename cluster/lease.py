"""One writer per lake: a lease with an owner and an expiry, kept as a Delta table so that any store can hold it.

Each commit of the lease table carries the next number as an application transaction: of two writers that saw the same
state Delta refuses the second. The number of the taking commit is the run's number.
"""

import json
import os
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake import Schema as DeltaSchema
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import create_table_with_add_actions

from cluster.errors import RetryableError
from cluster.storage import Storage

TABLE = "_lease"
NOTES = "lease"
SCHEMA = DeltaSchema.from_arrow(pa.schema([("owner", pa.string())]))


@dataclass(frozen=True)
class Owner:
    """A process, told apart from every other one that ever ran: a reused pid has another start time."""

    boot_id: str
    pid_namespace: str
    pid: int
    started: str

    @classmethod
    def this_process(cls) -> Self:
        """Describe the calling process."""
        return cls(_boot_id(), _pid_namespace(), os.getpid(), _start_time(os.getpid()))

    def is_dead(self) -> bool:
        """Whether it certainly ended: only sayable of a process of this boot and PID namespace."""
        here = self.boot_id == _boot_id() and self.pid_namespace == _pid_namespace()
        return here and _start_time(self.pid) != self.started


class Lease:
    """The right to commit to a lake, renewed in the background until released; use as a context manager."""

    def __init__(self, storage: Storage, run_id: str, number: int, lifetime_s: float) -> None:
        """Hold lease `number`; made by `take` only."""
        self.run_id = run_id
        self.number = number
        self._storage = storage
        self._lifetime_s = lifetime_s
        self._expires_at = time.time() + lifetime_s
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._last = number
        self._thread = threading.Thread(target=self._renew_until_released, daemon=True, name="lease")
        self._thread.start()

    @classmethod
    def take(cls, storage: Storage, run_id: str, lifetime_s: float) -> Self:
        """Take the lease of a lake.

        Args:
            storage: The lake.
            run_id: The run that will write.
            lifetime_s: Seconds after which a silent owner loses it.

        Returns:
            The lease; its `number` grows with every run of this lake.

        Raises:
            RetryableError: Another run holds it.
        """
        number, state = _state(storage)
        holder = state.get("owner")
        if holder and state["expires_at"] > time.time() and not Owner(**holder).is_dead():
            raise RetryableError(
                "Another run is writing this lake",
                where=storage.root,
                why=f"run {state['run_id']}, process {holder['pid']}, holds the lease for up to "
                f"{state['expires_at'] - time.time():.0f} s more",
                remedy="Wait until it has ended, then run the command again.",
            )
        _commit(storage, number + 1, run_id, lifetime_s)
        return cls(storage, run_id, number + 1, lifetime_s)

    def check(self) -> None:
        """Make sure that the lease is still ours.

        Raises:
            RetryableError: It expired and another run took it.
        """
        with self._lock:
            _, state = _state(self._storage)
        if state.get("run_id") != self.run_id or not state.get("owner"):
            raise RetryableError(
                "The lease of the lake was lost", where=self._storage.root, why=f"run {state.get('run_id')} took it",
                remedy="Nothing more was committed; run the command again.",
            )  # fmt: skip
        if self._expires_at < time.time():
            self._renew()

    def _renew(self) -> None:
        with self._lock:
            _commit(self._storage, self._last + 1, self.run_id, self._lifetime_s)
            self._last += 1
            self._expires_at = time.time() + self._lifetime_s

    def _renew_until_released(self) -> None:
        while not self._ended.wait(self._lifetime_s / 3):
            try:
                self._renew()
            except (RetryableError, DeltaError, OSError):
                continue  # the store may be back at the next beat; check() tells the driver of a lost lease

    def release(self) -> None:
        """Give the lease back; one that was lost is left to its new owner."""
        self._ended.set()
        self._thread.join()
        try:
            _commit(self._storage, self._last + 1, self.run_id, 0, owner=None)
        except RetryableError:
            return

    def __enter__(self) -> Self:
        """Give the lease itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Release it."""
        self.release()


def _state(storage: Storage) -> tuple[int, dict[str, Any]]:
    """Read the last number and what its commit says; number 0 before the first."""
    uri, options = storage.table_uri(TABLE), storage.options or None
    if not DeltaTable.is_deltatable(uri, options):
        return 0, {}
    table = DeltaTable(uri, storage_options=options)
    return table.transaction_version(TABLE) or 0, json.loads(table.history(1)[0].get(NOTES, "{}"))


def _commit(storage: Storage, number: int, run_id: str, lifetime_s: float, owner: Owner | None = None) -> None:
    """Write state `number`; refused when another process wrote it first."""
    holder = asdict(Owner.this_process()) if lifetime_s else owner
    state = {"run_id": run_id, "owner": holder, "expires_at": time.time() + lifetime_s}
    properties = CommitProperties(
        custom_metadata={NOTES: json.dumps(state)}, app_transactions=[Transaction(TABLE, number)], max_commit_retries=0
    )
    uri, options = storage.table_uri(TABLE), storage.options or None
    try:
        if number == 1:
            create_table_with_add_actions(uri, SCHEMA, [], storage_options=options, commit_properties=properties)
            return
        table = DeltaTable(uri, storage_options=options)
        if (table.transaction_version(TABLE) or 0) != number - 1:
            raise CommitFailedError(f"number {number} is taken")
        table.create_write_transaction([], "append", SCHEMA, commit_properties=properties)
    except DeltaError as error:
        raise RetryableError(
            "Another run took the lease of the lake", where=storage.root, why=str(error),
            remedy="Wait until it has ended, then run the command again.",
        ) from error  # fmt: skip


def _boot_id() -> str:
    return _read("/proc/sys/kernel/random/boot_id")


def _pid_namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _start_time(pid: int) -> str:
    """Give field 22 of /proc/<pid>/stat (clock ticks since boot), empty when there is no such process."""
    text = _read(f"/proc/{pid}/stat")
    fields = text.rpartition(")")[2].split()
    return fields[19] if text and fields[0] != "Z" else ""


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
