"""Opaque cursors for lists in a fixed order; knows no list.

A cursor holds the position of the last row and a digest of it, the path and the filters, so that one that was altered,
or is given with other filters, is refused. It is no secret: whoever forges one only asks for another place of the list.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Query, Request

from cluster.errors import RequestError

LARGEST_PAGE = 1000
DIGEST_BYTES = 8

Ordering = dict[str, tuple[str, Callable[[str], Any]]]
"""Bound value of the statement → (the row's column, how its text is read)."""


@dataclass(frozen=True)
class PageRequest:
    """Which page of a list is asked for.

    Attributes:
        ordering: What the list is ordered by.
        limit: Most rows of a page.
        scope: Path and filters that its cursors belong to.
        position: Bound values of the last row before the page; None for each on the first page.
    """

    ordering: Ordering
    limit: int
    scope: str
    position: dict[str, Any]

    def values(self) -> dict[str, Any]:
        """Give the values that the statement binds: the position, and one row more than the page, to see the end."""
        return {**self.position, "limit": self.limit + 1}

    def cut(self, rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], str | None]:
        """Cut what the statement gave to the page, and make the cursor of the next one."""
        if len(rows) <= self.limit:
            return rows, None
        last = rows[self.limit - 1]
        return rows[: self.limit], encode(self.scope, [str(last[column]) for column, _ in self.ordering.values()])


def paging(ordering: Ordering, default_limit: int = 100) -> Callable[..., PageRequest]:
    """Make the dependency that reads `limit` and `cursor` of a list.

    Args:
        ordering: What the list is ordered by.
        default_limit: Rows of a page when none is asked for.

    Returns:
        A FastAPI dependency.
    """

    def page_request(
        request: Request,
        limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="Most rows of the page.")] = default_limit,
        cursor: Annotated[str | None, Query(description="`next_cursor` of the page before.")] = None,
    ) -> PageRequest:
        filters = sorted(pair for pair in request.query_params.multi_items() if pair[0] not in {"limit", "cursor"})
        scope = json.dumps([request.url.path, filters])
        position = decode(scope, cursor, ordering) if cursor is not None else dict.fromkeys(ordering)
        return PageRequest(ordering, limit, scope, position)

    return page_request


def encode(scope: str, texts: list[str]) -> str:
    """Make a cursor from the texts of a position."""
    body = json.dumps(texts).encode()
    return base64.urlsafe_b64encode(_digest(scope, body) + body).decode().rstrip("=")


def decode(scope: str, cursor: str, ordering: Ordering) -> dict[str, Any]:
    """Read a cursor.

    Args:
        scope: Path and filters of the request.
        cursor: As the caller gave it.
        ordering: What the list is ordered by.

    Returns:
        The bound values of the position.

    Raises:
        RequestError: It is no cursor, was altered, or belongs to another list or other filters.
    """
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        digest, body = raw[:DIGEST_BYTES], raw[DIGEST_BYTES:]
        if digest != _digest(scope, body):
            raise ValueError("it was altered, or belongs to another list or other filters")
        pairs = zip(ordering.items(), json.loads(body), strict=True)
        return {name: read(text) for (name, (_, read)), text in pairs}
    except (ValueError, ArithmeticError) as error:
        raise RequestError(
            "The cursor is not valid for this request",
            where="query.cursor",
            why=str(error),
            remedy="Give `next_cursor` of the page before unchanged, with the same filters, or leave it out to start.",
        ) from error


def _digest(scope: str, body: bytes) -> bytes:
    return hashlib.blake2b(scope.encode() + b"\0" + body, digest_size=DIGEST_BYTES).digest()
