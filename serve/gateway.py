"""Puts the HTTP application together: routes, errors, envelope, documentation, pool; knows neither Serve nor settings.

It runs under any ASGI server; `serve.app` runs it on Ray Serve.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from serve import problems
from serve.dependencies import Backend
from serve.middleware import Envelope
from serve.payloads.values import Presentation
from serve.reading import make_pool
from serve.routes import health, page
from serve.routes.v1 import datamart, marts, sales

TITLE = "PwC Data Engineering Challenge - Enterprise API"
VERSION = "2.0.0"
DESCRIPTION = """Sales, exact to the penny, from the warehouse of the last publication.

* **Money** is a decimal string with four decimals, and a currency.
* **Times** are RFC 3339 with their offset.
* **Lists** have an opaque `next_cursor`.
* **Errors** are RFC 9457 `application/problem+json` with a remedy and the correlation id, which `X-Correlation-Id`
  brings or gets.
* **`X-Data-Version`** names the publication that an answer was made from; rows and version are read in one snapshot.
  **`ETag`** with `If-None-Match` saves asking twice.
"""


@dataclass(frozen=True)
class GatewayConfig:
    """What the gateway needs to know; small and picklable, so that it travels to replicas.

    Attributes:
        warehouse_url: postgresql:// URL.
        currency: ISO 4217 code of all money.
        time_zone: IANA zone of the shop's local times.
        statement_timeout_ms: Most milliseconds of a statement.
        pool_size: Most connections of a replica.
    """

    warehouse_url: str = field(repr=False)
    currency: str = "GBP"
    time_zone: str = "Europe/London"
    statement_timeout_ms: int = 10_000
    pool_size: int = 8


def create_app(config: GatewayConfig) -> FastAPI:
    """Make the HTTP application; its lifespan opens and closes the pool.

    Args:
        config: What it needs to know.

    Returns:
        The application. The warehouse need not answer yet.
    """
    pool = make_pool(config.warehouse_url, config.pool_size)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await pool.open(wait=False)
        try:
            yield
        finally:
            await pool.close()

    app: FastAPI = FastAPIOffline(
        title=TITLE,
        version=VERSION,
        description=DESCRIPTION,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    presentation = Presentation(config.currency, ZoneInfo(config.time_zone))
    app.state.backend = Backend(pool, presentation, config.statement_timeout_ms)
    app.add_middleware(Envelope)
    problems.install(app)
    for router in (page.router, health.router, sales.router, datamart.router, marts.router):
        app.include_router(router)
    return app
