"""Reads the warehouse: rows and data version in one snapshot, statements from files; knows no route.

The pool reconnects by itself and prepares no statement on the server, so PgBouncer may stand between.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from psycopg import AsyncConnection, IsolationLevel
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel

from serve.paging import PageRequest
from serve.payloads.values import Page, Presentation
from serve.problems import NotFoundError
from warehouse_sql.statements import statement

Connection = AsyncConnection[DictRow]
Pool = AsyncConnectionPool[Connection]
Payload = TypeVar("Payload", bound=BaseModel)

CONNECT_TIMEOUT_S = 2
WAIT_FOR_CONNECTION_S = 3.0


def make_pool(url: str, size: int) -> Pool:
    """Make a pool that is not open yet.

    Args:
        url: postgresql:// URL.
        size: Most connections.

    Returns:
        A pool of read-only, repeatable-read connections with dict rows.
    """
    return AsyncConnectionPool(
        url,
        connection_class=AsyncConnection[DictRow],
        kwargs={"row_factory": dict_row, "prepare_threshold": None, "connect_timeout": CONNECT_TIMEOUT_S},
        min_size=1,
        max_size=size,
        timeout=WAIT_FOR_CONNECTION_S,
        # After a restart of the server a connection is broken without knowing it.
        check=AsyncConnectionPool.check_connection,
        # Given up early: the next request tries anew, and does not wait out a long back-off.
        reconnect_timeout=WAIT_FOR_CONNECTION_S,
        configure=_configure,
        open=False,
        name="warehouse",
    )


async def _configure(connection: Connection) -> None:
    await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
    await connection.set_read_only(True)


@dataclass(frozen=True)
class Reading:
    """One snapshot of the warehouse.

    Attributes:
        connection: In its transaction.
        data_version: Of the last publication; 0 when there is none.
        published_at: When that was.
        presentation: How values go out.
    """

    connection: Connection
    data_version: int
    published_at: datetime | None
    presentation: Presentation

    async def rows(self, name: str, values: Mapping[str, Any] | None = None) -> list[DictRow]:
        """Run a statement of `warehouse_sql/statements`.

        Args:
            name: Its path without `.sql`.
            values: Every value it binds.

        Returns:
            Its rows.
        """
        return await (await self.connection.execute(statement(name).encode(), values or {})).fetchall()

    def present(self, kind: type[Payload], value: Mapping[str, Any]) -> Payload:
        """Make a payload from values as the warehouse gives them."""
        return kind.model_validate(value, context=self.presentation)

    async def page(
        self, kind: type[Page[Any]], name: str, request: PageRequest, values: Mapping[str, Any] | None = None
    ) -> Any:
        """Answer one page of a list.

        Args:
            kind: `Page[...]` of the list.
            name: The statement.
            request: Which page.
            values: What the statement binds besides the position and the limit.

        Returns:
            The page, of that kind.
        """
        rows, next_cursor = request.cut(await self.rows(name, {**(values or {}), **request.values()}))
        return self.present(kind, {"data": rows, "next_cursor": next_cursor})

    async def one(self, name: str, values: Mapping[str, Any], what: str, remedy: str) -> DictRow:
        """Run a statement that gives one row or none.

        Args:
            name: The statement.
            values: Every value it binds.
            what: The error's sentence when there is none.
            remedy: What the caller can do then.

        Returns:
            The row.

        Raises:
            NotFoundError: There is none.
        """
        rows = await self.rows(name, values)
        if not rows:
            raise NotFoundError(what, remedy=remedy)
        return rows[0]


@asynccontextmanager
async def open_reading(pool: Pool, presentation: Presentation, timeout_ms: int) -> AsyncIterator[Reading]:
    """Open one snapshot for the length of a block.

    Args:
        pool: An open pool.
        presentation: How values go out.
        timeout_ms: Most milliseconds of each statement.

    Yields:
        The reading.
    """
    async with pool.connection() as connection:
        cursor = await connection.execute(statement("health/snapshot").encode(), {"timeout_ms": str(timeout_ms)})
        first = await cursor.fetchone() or {}
        yield Reading(connection, first.get("data_version") or 0, first.get("published_at"), presentation)
