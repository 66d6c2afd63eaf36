"""A database of its own for each test, so that runs on one server do not meet."""

import secrets
from collections.abc import Iterator

import psycopg


def make_databases(server: str) -> Iterator[str]:
    """Make an empty database on a server and drop it at the end; give its URL."""
    name = f"contract_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    yield server.rpartition("/")[0] + f"/{name}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
