"""Puts the marts that were built beside the ones that are read in their place; knows neither dbt nor the project.

Everything happens in one transaction. Readers that hold a mart are waited for, a little at a time.
"""

import secrets
from collections.abc import Collection
from typing import Any

import psycopg
from psycopg import sql

from cluster.warehouse import giving_way
from warehouse_sql.statements import statement

Name = tuple[str, str]
"""Schema and name."""


def new_suffix() -> str:
    """Give the ending of the schemas of one deployment; a child of a killed one cannot write into those of the next."""
    return f"_next_{secrets.token_hex(4)}"


def drop_beside(connection: psycopg.Connection[Any], suffix: str = "") -> None:
    """Remove schemas that were built in.

    Args:
        connection: Holds the publish lock.
        suffix: Of one deployment; without it of all, which were killed.
    """
    for (schema,) in connection.execute(statement("marts/leftovers").encode()).fetchall():
        if schema.endswith(suffix):
            connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))


def put_in_place(
    connection: psycopg.Connection[Any], suffix: str, removed: Collection[Name], record: dict[str, Any]
) -> list[Name]:
    """Replace the old marts and seeds by what was built beside them.

    Args:
        connection: Holds the publish lock.
        suffix: Of the schemas that were built in.
        removed: What the project no longer has.
        record: Hash and manifest of the project, for ops.mart_deployments.

    Returns:
        What was put in place.
    """

    def exchange_and_record() -> list[Name]:
        built = _exchange(connection, suffix, removed)
        connection.execute(statement("marts/record").encode(), record)
        return built

    return giving_way(connection, exchange_and_record)


def _exchange(connection: psycopg.Connection[Any], suffix: str, removed: Collection[Name]) -> list[Name]:
    """Drop the old marts, then the old seeds, and move what was built to their places."""
    beside = _relations(connection, f"{suffix}$")
    names = [(schema.removesuffix(suffix), name) for schema, name, _ in beside]
    gone = {*names, *removed}
    standing = _relations(connection, "^(marts|seeds)$")
    for kind, is_mart in (("MATERIALIZED VIEW", True), ("TABLE", False)):
        old = [sql.Identifier(*row[:2]) for row in standing if row[:2] in gone and row[2] is is_mart]
        if old:  # in one statement: its members may read each other
            connection.execute(sql.SQL(f"DROP {kind} ").format() + sql.SQL(", ").join(old))
    for (schema, name, is_mart), (target, _) in zip(beside, names, strict=True):
        kind = "MATERIALIZED VIEW" if is_mart else "TABLE"
        change = sql.SQL(f"ALTER {kind} {{}} SET SCHEMA {{}}")
        connection.execute(change.format(sql.Identifier(schema, name), sql.Identifier(target)))
    return names


def _relations(connection: psycopg.Connection[Any], schemas: str) -> list[tuple[str, str, bool]]:
    return connection.execute(statement("marts/relations").encode(), {"schemas": schemas}).fetchall()
