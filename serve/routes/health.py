"""Whether the service is alive, ready, and what it needs answers; never cached."""

import asyncio
import time

import psycopg
from fastapi import APIRouter, Depends, Response

from serve.dependencies import AppBackend, Backend, known_parameters
from serve.payloads.health import Dependencies, Dependency, Health
from serve.problems import RETRY_AFTER_S
from serve.reading import open_reading

router = APIRouter(prefix="/health", tags=["health"], dependencies=[Depends(known_parameters)])

ANSWER_WITHIN_S = 2.0
"""A probe waits no longer."""


@router.get("/live", summary="Is the process alive?")
async def live(response: Response) -> Health:
    """Answer without asking anything else."""
    response.headers["Cache-Control"] = "no-store"
    return Health(status="ok")


@router.get("/ready", summary="Can requests be answered?", responses={503: {"model": Health}})
async def ready(base: AppBackend, response: Response) -> Health:
    """Answer 200 when the warehouse answers and has its tables; an empty one is ready too."""
    warehouse = await ask_warehouse(base)
    response.headers["Cache-Control"] = "no-store"
    if warehouse.state == "up":
        return Health(status="ok")
    response.status_code, response.headers["Retry-After"] = 503, str(RETRY_AFTER_S)
    return Health(status="unavailable", detail=f"warehouse: {warehouse.detail}")


@router.get("/dependencies", summary="What does the service need, and does it answer?")
async def dependencies(base: AppBackend, response: Response) -> Dependencies:
    """Answer 200 in any case; the states stand in the answer."""
    warehouse = await ask_warehouse(base)
    response.headers["Cache-Control"] = "no-store"
    return Dependencies(status="ok" if warehouse.state == "up" else "unavailable", dependencies=[warehouse])


async def ask_warehouse(base: Backend) -> Dependency:
    """Ask the warehouse who it is and what it publishes.

    Args:
        base: The application's backend.

    Returns:
        Its state, with the reason when it is down.
    """
    began = time.perf_counter()
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            async with open_reading(base.pool, base.presentation, base.statement_timeout_ms) as reading:
                server = (await reading.rows("health/warehouse"))[0]
                state, version = "up", reading.data_version
                detail = f"PostgreSQL {server['server_version']}, data version {version}"
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        state, detail = "down", "it answers, but has no tables yet: load it with `retail run`"
    except (psycopg.Error, TimeoutError) as error:
        state, detail = "down", f"no answer ({type(error).__name__})"
    latency_ms = round((time.perf_counter() - began) * 1000, 1)
    return Dependency(name="warehouse", state="up" if state == "up" else "down", latency_ms=latency_ms, detail=detail)
