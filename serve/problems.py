"""Turns every error into RFC 9457 problem+json, by one table; knows no route and no payload but its own."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import psycopg
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from psycopg import errors as postgres
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from cluster.errors import ConfigurationError, DataError, FatalError, PlatformError, RequestError, RetryableError

LOG = logging.getLogger("retail.serve")
MEDIA_TYPE = "application/problem+json"
CORRELATION_HEADER = "X-Correlation-Id"


class NotFoundError(RequestError):
    """What the caller names does not exist."""


class MartsMissingError(RetryableError):
    """The warehouse has its tables, but no marts yet (or no longer)."""


class NotModified(Exception):  # noqa: N818 - no error: the caller already has the answer
    """The caller's copy is still right; carries the headers of the 304."""

    def __init__(self, headers: dict[str, str]) -> None:
        """Keep the headers."""
        super().__init__("not modified")
        self.headers = headers


class Problem(BaseModel):
    """An error as RFC 9457 has it, with the remedy and the correlation id of the request."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:retail:problem:request",
                    "title": "The request cannot be answered",
                    "status": 400,
                    "detail": "Unknown query parameter 'contry'",
                    "instance": "/api/v1/sales",
                    "remedy": "Did you mean 'country'?",
                    "correlation_id": "3f0c1d4f7f0b4c55a7a1f7d3b6f1f8a2",
                    "errors": [],
                }
            ]
        }
    )

    type: str = Field(description="A name for this kind of problem.")
    title: str
    status: int
    detail: str = Field(description="What happened, and where and why as far as it is known.")
    instance: str = Field(description="Path of the request.")
    remedy: str = Field("", description="What to do next.")
    correlation_id: str = Field(description="Names the request in the logs.")
    errors: list[dict[str, str]] = Field(default_factory=list, description="Each wrong value: where, value, why.")


@dataclass(frozen=True)
class Answer:
    """What a class of errors becomes."""

    status: int
    slug: str
    title: str
    remedy: str = ""
    is_ours: bool = False
    """Whether the error's own text goes out; a foreign error's may hold what is nobody's business."""


_NOT_THERE = "The warehouse does not answer"
_UNMIGRATED = Answer(503, "warehouse-empty", "The warehouse has no tables yet", "Load it first: `retail run`.")

ANSWERS: dict[type[Exception], Answer] = {
    NotFoundError: Answer(404, "not-found", "Not found", is_ours=True),
    RequestError: Answer(400, "request", "The request cannot be answered", is_ours=True),
    MartsMissingError: Answer(503, "marts-missing", "The marts are not deployed", is_ours=True),
    RetryableError: Answer(503, "unavailable", "Not available now", is_ours=True),
    ConfigurationError: Answer(500, "configuration", "The service is set up wrongly", "Tell its operator."),
    DataError: Answer(500, "data", "The data are wrong", "Tell the operator."),
    FatalError: Answer(500, "fatal", "A promise of the platform is broken", "Tell the operator."),
    PlatformError: Answer(500, "platform", "The service failed", "Tell the operator."),
    postgres.QueryCanceled: Answer(
        504, "too-slow", "The answer took too long", "Ask for fewer days with `from` and `to`, or try again later."
    ),
    postgres.UndefinedTable: _UNMIGRATED,
    postgres.InvalidSchemaName: _UNMIGRATED,
    psycopg.OperationalError: Answer(503, "warehouse-down", _NOT_THERE, "Try again; the service reconnects itself."),
    psycopg.InterfaceError: Answer(503, "warehouse-down", _NOT_THERE, "Try again; the service reconnects itself."),
    Exception: Answer(500, "internal", "The service failed", "Try again; if it stays, tell the operator the id."),
}
"""The one table from errors to HTTP; the nearest class of an error's ancestors answers."""

RETRY_AFTER_S = 5


def answer_of(error: Exception) -> Answer:
    """Give the row of the table for an error."""
    return next(ANSWERS[kind] for kind in type(error).__mro__ if kind in ANSWERS)


def install(app: FastAPI) -> None:
    """Let an application answer every error with a problem."""
    handlers: dict[type[Exception], Callable[[Request, Any], Awaitable[Response]]] = {
        **dict.fromkeys(ANSWERS, _known),
        HTTPException: _http,
        RequestValidationError: _validation,
        NotModified: _not_modified,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


def _respond(request: Request, answer: Answer, detail: str, remedy: str, **more: Any) -> Response:
    correlation_id = getattr(request.state, "correlation_id", "")
    problem = Problem(
        type=f"urn:retail:problem:{answer.slug}",
        title=answer.title,
        status=answer.status,
        detail=detail,
        instance=request.url.path,
        remedy=remedy,
        correlation_id=correlation_id,
        errors=more.get("errors", []),
    )
    headers = {CORRELATION_HEADER: correlation_id, "Cache-Control": "no-store", **more.get("headers", {})}
    if answer.status == 503:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    return JSONResponse(problem.model_dump(), answer.status, headers, MEDIA_TYPE)


async def _known(request: Request, error: Exception) -> Response:
    answer = answer_of(error)
    if answer.status >= 500:
        correlation_id = getattr(request.state, "correlation_id", "")
        LOG.error("%s %s failed (%s)", request.method, request.url.path, correlation_id, exc_info=error)
    if not (answer.is_ours and isinstance(error, PlatformError)):
        return _respond(request, answer, answer.title + ".", answer.remedy)
    detail = f"{error.where}: {error.what}" if error.where else error.what
    return _respond(request, answer, detail + (f" ({error.why})" if error.why else ""), error.remedy or answer.remedy)


async def _http(request: Request, error: HTTPException) -> Response:
    remedy = "The paths are listed at /docs." if error.status_code in {404, 405} else ""
    answer = Answer(error.status_code, "http", str(error.detail))
    detail = f"{request.method} {request.url.path}: {error.detail}"
    return _respond(request, answer, detail, remedy, headers=dict(error.headers or {}))


async def _validation(request: Request, error: RequestValidationError) -> Response:
    faults = [
        {
            "where": ".".join(str(part) for part in fault["loc"]),
            "value": str(fault.get("input", ""))[:200],
            "why": str(fault["msg"]),
        }
        for fault in error.errors()
    ]
    answer = Answer(422, "wrong-value", "A value has the wrong form")
    detail = "; ".join(f"{fault['where']}: {fault['why']}" for fault in faults)
    return _respond(request, answer, detail, "Correct the values under `errors`.", errors=faults)


async def _not_modified(_request: Request, error: NotModified) -> Response:
    return Response(status_code=304, headers=error.headers)
