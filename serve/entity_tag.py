"""The ETag of an answer: a hash of everything that the answer is made from; knows no route."""

import hashlib
import json
from functools import cache
from pathlib import Path

import serve
import warehouse_sql.statements


@cache
def build_id() -> str:
    """Give a hash of the code and statements that make answers, so that a new build never vouches for an old answer."""
    digest = hashlib.blake2b(digest_size=8)
    for root in (Path(serve.__path__[0]), Path(warehouse_sql.statements.__path__[0])):
        for file in sorted([*root.rglob("*.py"), *root.rglob("*.sql")]):
            digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def entity_tag(*parts: object) -> str:
    """Make a strong ETag.

    Args:
        *parts: Data version, route, query and whatever else the answer depends on, each with a stable text.

    Returns:
        The tag in its quotes.
    """
    text = json.dumps([build_id(), *parts], default=str)
    return f'"{hashlib.blake2b(text.encode(), digest_size=16).hexdigest()}"'


def matches(if_none_match: str | None, tag: str) -> bool:
    """Say whether an If-None-Match header names the tag (weak comparison, RFC 9110)."""
    given = [part.strip().removeprefix("W/") for part in (if_none_match or "").split(",")]
    return "*" in given or tag in given
