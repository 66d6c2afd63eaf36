import asyncio
import json
from typing import Any

import psycopg
import psycopg_pool
import pytest
from fastapi import FastAPI, Request
from psycopg import errors as postgres

from cluster.errors import ConfigurationError, DataError, FatalError, PlatformError, RequestError, RetryableError
from serve import problems
from serve.problems import MartsMissingError, NotFoundError, answer_of


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFoundError("x"), 404),
        (RequestError("x"), 400),
        (RetryableError("x"), 503),
        (MartsMissingError("x"), 503),
        (ConfigurationError("x"), 500),
        (DataError("x"), 500),
        (FatalError("x"), 500),
        (PlatformError("x"), 500),
        (psycopg_pool.PoolTimeout("x"), 503),
        (psycopg.OperationalError("x"), 503),
        (postgres.AdminShutdown("x"), 503),
        (postgres.UndefinedTable("x"), 503),
        (postgres.QueryCanceled("x"), 504),
        (postgres.SyntaxError("x"), 500),
        (KeyError("x"), 500),
    ],
)
def test_the_nearest_class_answers(error: Exception, status: int) -> None:
    assert answer_of(error).status == status


def _body(error: Exception) -> tuple[dict[str, Any], dict[str, str]]:
    app = FastAPI()
    problems.install(app)
    request = Request({"type": "http", "method": "GET", "path": "/p", "headers": [], "server": ("h", 80), "app": app})
    request.state.correlation_id = "id-1"
    handler: Any = app.exception_handlers[type(error)]
    response = asyncio.run(handler(request, error))
    return json.loads(response.body), dict(response.headers)


def test_our_error_tells_what_where_why_and_the_remedy() -> None:
    body, headers = _body(RetryableError("It is busy", where="here", why="because", remedy="Wait."))
    assert body["detail"] == "here: It is busy (because)"
    assert (body["remedy"], body["instance"], body["correlation_id"]) == ("Wait.", "/p", "id-1")
    assert headers["retry-after"] == "5"
    assert headers["x-correlation-id"] == "id-1"


def test_errors_of_the_inside_stay_inside() -> None:
    for error in (
        FatalError("secret", where="secret"),
        psycopg.OperationalError("secret"),
        ConfigurationError("secret"),
    ):
        body, _ = _body(error)
        assert "secret" not in json.dumps(body)
        assert body["remedy"]


def test_a_missing_thing_survives_a_process_border() -> None:
    error = NotFoundError("what", where="where", why="why", remedy="remedy")
    kind, arguments = error.__reduce__()
    assert vars(kind(*arguments)) == vars(error)
