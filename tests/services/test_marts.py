"""The suite of the marts on a real PostgreSQL, as a user whose password has all that URLs and shells mind."""

import os
import secrets
from collections.abc import Iterator
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from tests.contract.warehouse.mart_suite import MartSuite

PASSWORD = "p@ss:w/rd#1 %20?&'\"\\{{x}}$"


class TestRealMarts(MartSuite):
    @pytest.fixture(scope="class")
    def url(self) -> Iterator[str]:
        server = os.environ.get("RETAIL_TEST_POSTGRES_URL")
        if not server:
            pytest.skip(
                "RETAIL_TEST_POSTGRES_URL names no server; make test-services starts one where ../shared has it"
            )
        name = f"marts_{secrets.token_hex(6)}"
        parts = {"name": sql.Identifier(name), "password": sql.Literal(PASSWORD)}
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE ROLE {name} LOGIN CREATEROLE PASSWORD {password}").format(**parts))
            connection.execute(sql.SQL("CREATE DATABASE {name} OWNER {name}").format(**parts))
        address = urlsplit(server)
        host = f"{name}:{quote(PASSWORD, safe='')}@{address.hostname}:{address.port}"
        yield urlunsplit(("postgresql", host, f"/{name}", "", ""))
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {name} WITH (FORCE)").format(**parts))
            connection.execute(sql.SQL("DROP ROLE {name}").format(**parts))
