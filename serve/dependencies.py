"""What handlers ask for: a reading that minds the caller's ETag, known parameters, filters; knows no statement."""

import difflib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from fastapi import Depends, Query, Request, Response
from psycopg import errors as postgres

from cluster.errors import RequestError
from serve.entity_tag import entity_tag, matches
from serve.payloads.values import Presentation
from serve.problems import MartsMissingError, NotModified
from serve.reading import Pool, Reading, open_reading
from warehouse_sql.tables.gold import FIRST_DAY, LAST_DAY

MEDIA_TYPE = "application/json"


@dataclass(frozen=True)
class Backend:
    """What an application's handlers stand on."""

    pool: Pool
    presentation: Presentation
    statement_timeout_ms: int


def backend(request: Request) -> Backend:
    """Give the application's backend."""
    found: Backend = request.app.state.backend
    return found


AppBackend = Annotated[Backend, Depends(backend)]


def known_parameters(request: Request) -> None:
    """Refuse a query parameter that the route's documentation does not list, or that is given twice, and NUL.

    Raises:
        RequestError: There is one.
    """
    if "\0" in request.scope["path"] or any("\0" in value for value in request.query_params.values()):
        raise RequestError("A value holds a NUL character", where=request.url.path, remedy="Leave it out.")
    operation = request.app.openapi()["paths"][request.scope["route"].path_format]["get"]
    known = [parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "query"]
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            takes = f"This path takes: {', '.join(sorted(known))}." if known else "This path takes none."
            remedy = f"Did you mean '{near[0]}'? {takes}" if near else takes
            raise RequestError(f"Unknown query parameter '{name}'", where=request.url.path, remedy=remedy)
        if names.count(name) > 1:
            raise RequestError(f"Query parameter '{name}' is given twice", where=request.url.path, remedy="Give one.")


async def reading(request: Request, response: Response, base: AppBackend) -> AsyncIterator[Reading]:
    """Open the snapshot that a request is answered from, unless the caller's copy is still right.

    Yields:
        The reading.

    Raises:
        NotModified: If-None-Match names the answer's tag; the statement is not run.
    """
    async with open_reading(base.pool, base.presentation, base.statement_timeout_ms) as opened:
        _vouch(request, response, opened)
        yield opened


async def reading_of_marts(request: Request, response: Response, base: AppBackend) -> AsyncIterator[Reading]:
    """Open a snapshot for a statement that reads marts, whose definitions can change without a publication.

    Yields:
        The reading.

    Raises:
        NotModified: If-None-Match names the answer's tag; the statement is not run.
        MartsMissingError: The warehouse has its tables, but not the marts.
    """
    async with open_reading(base.pool, base.presentation, base.statement_timeout_ms) as opened:
        try:
            deployment_id = (await opened.rows("health/marts"))[0]["deployment_id"]
            if deployment_id is None:
                raise _marts_missing()
            _vouch(request, response, opened, deployment_id)
            yield opened
        except (postgres.UndefinedTable, postgres.ObjectNotInPrerequisiteState) as error:
            raise _marts_missing() from error


def _marts_missing() -> MartsMissingError:
    return MartsMissingError(
        "The marts that this answer is read from are not deployed",
        remedy="Run any `retail` command that writes, for instance `retail run`: it deploys them.",
    )


def _vouch(request: Request, response: Response, opened: Reading, *more: object) -> None:
    query = sorted(request.query_params.multi_items())
    shown = (opened.presentation.currency, opened.presentation.zone)
    made_from = (opened.data_version, opened.published_at, *shown, *more)
    tag = entity_tag(*made_from, request.url.path, query, MEDIA_TYPE)
    headers = {"ETag": tag, "X-Data-Version": str(opened.data_version), "Cache-Control": "no-cache"}
    if matches(request.headers.get("if-none-match"), tag):
        raise NotModified(headers)
    response.headers.update(headers)


Read = Annotated[Reading, Depends(reading, scope="function")]
"""The connection goes back to the pool before the answer is sent."""
ReadMarts = Annotated[Reading, Depends(reading_of_marts, scope="function")]
"""The same, for statements that read marts."""


def days(
    from_date: Annotated[
        date | None, Query(alias="from", description="First day, inclusive.", examples=["2010-12-01"])
    ] = None,
    to_date: Annotated[
        date | None, Query(alias="to", description="Last day, inclusive.", examples=["2010-12-31"])
    ] = None,
) -> dict[str, Any]:
    """Read the days that a request is about.

    Returns:
        from_date and to_date, never None.

    Raises:
        RequestError: They are in the wrong order.
    """
    first, last = from_date or FIRST_DAY, to_date or LAST_DAY
    if first > last:
        raise RequestError(
            f"`from` ({first}) lies after `to` ({last})", where="query.from", remedy="Exchange the two days."
        )
    return {"from_date": first, "to_date": last}


Days = Annotated[dict[str, Any], Depends(days)]
