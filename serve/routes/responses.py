"""How the OpenAPI document describes answers that are not 200; knows no route."""

from typing import Any

from serve.problems import MEDIA_TYPE, Problem


def _problem(description: str) -> dict[str, Any]:
    return {"description": description, "content": {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}}


READ_RESPONSES: dict[int | str, dict[str, Any]] = {
    304: {"description": "The caller's copy (If-None-Match) is still right."},
    400: _problem("The request cannot be answered: unknown parameter, wrong cursor."),
    422: _problem("A value has the wrong form."),
    503: _problem("The warehouse does not answer, or has no tables or marts yet; see Retry-After."),
    504: _problem("The answer took too long."),
}
NOT_FOUND: dict[int | str, dict[str, Any]] = {404: _problem("There is none.")}
