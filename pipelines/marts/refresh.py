"""Refreshes the marts whose inputs changed, inside the transaction that changed them; knows no dbt and no lake.

Which marts there are and what they read comes from PostgreSQL's own dependencies, so no list of them stands here.
"""

import time
from collections.abc import Collection
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import Any

import psycopg
from psycopg import sql

from warehouse_sql.statements import statement

SCHEMA = "marts"
MUCH = 0.1
"""Share of a table's rows from which its statistics are renewed, as PostgreSQL's own autovacuum has it."""


@dataclass(frozen=True)
class Refreshed:
    """A mart that was refreshed.

    Attributes:
        mart: Its name without schema; `ANALYZE` for the planner's statistics, which come first.
        seconds: What it took.
    """

    mart: str
    seconds: float


@dataclass
class Mart:
    """A mart as the database has it.

    Attributes:
        name: Without schema.
        is_populated: Whether it was ever filled; only then can it be refreshed beside its readers.
        inputs: The relations it reads, with schema.
    """

    name: str
    is_populated: bool
    inputs: set[str] = field(default_factory=set)


def refresh_marts(connection: psycopg.Connection[Any], changed: Collection[str]) -> list[Refreshed]:
    """Refresh the marts that read what changed, directly or through other marts; readers go on reading.

    Args:
        connection: In the transaction that changed the tables; the new content is seen when it commits.
        changed: Tables with their schema, such as `gold.fact_sales`.

    Returns:
        What was refreshed, in that order; nothing where no mart is deployed.
    """
    marts = read_marts(connection)
    stale = stale_marts(marts, changed)
    if not stale:
        return []
    read = {table for mart in stale for table in mart.inputs}
    return [_analyse(connection, sorted(read & set(changed))), *(_refresh(connection, mart) for mart in stale)]


def read_marts(connection: psycopg.Connection[Any]) -> list[Mart]:
    """Give every mart with what it reads.

    Args:
        connection: To the warehouse.

    Returns:
        The marts by name.
    """
    marts: dict[str, Mart] = {}
    for name, is_populated, table in connection.execute(statement("marts/inputs").encode()):
        mart = marts.setdefault(name, Mart(name, is_populated))
        if table is not None:
            mart.inputs.add(table)
    return list(marts.values())


def stale_marts(marts: Collection[Mart], changed: Collection[str]) -> list[Mart]:
    """Give the marts that no longer fit their inputs, each after those that it reads.

    Args:
        marts: All there are.
        changed: Tables with their schema.

    Returns:
        The marts to refresh, in order.
    """
    by_name = {f"{SCHEMA}.{mart.name}": mart for mart in marts}
    order = TopologicalSorter({name: sorted(mart.inputs & by_name.keys()) for name, mart in by_name.items()})
    dirty, stale = set(changed), []
    for name in order.static_order():
        if by_name[name].inputs & dirty:
            dirty.add(name)
            stale.append(by_name[name])
    return stale


def _analyse(connection: psycopg.Connection[Any], tables: list[str]) -> Refreshed:
    """Bring statistics up to date: of a table that moved much all, else only of the partitions that moved.

    Statistics of a whole partitioned table cost as much as all refreshes, and one day changes little about them.
    """
    began = time.monotonic()
    rows = connection.execute(statement("marts/moved").encode(), {"tables": tables}).fetchall()
    for table in tables:
        parts = [(sql.Identifier(*part), moved, known) for name, *part, moved, known in rows if name == table]
        is_much = sum(moved for _, moved, _ in parts) > MUCH * sum(known for *_, known in parts)
        whole = [sql.Identifier(*table.split(".", 1))]
        for name in whole if is_much else [part for part, moved, _ in parts if moved]:
            connection.execute(sql.SQL("ANALYZE {}").format(name))
    return Refreshed("ANALYZE", time.monotonic() - began)


def _refresh(connection: psycopg.Connection[Any], mart: Mart) -> Refreshed:
    began = time.monotonic()
    how = sql.SQL("CONCURRENTLY ") if mart.is_populated else sql.SQL("")
    name = sql.Identifier(SCHEMA, mart.name)
    connection.execute(sql.SQL("REFRESH MATERIALIZED VIEW {}{}").format(how, name))
    return Refreshed(mart.name, time.monotonic() - began)
