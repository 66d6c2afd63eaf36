"""What the tests of figures share: sums over the shop's lines as the API writes them, and lists to their end."""

from collections.abc import Callable, Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from fastapi.testclient import TestClient

from tests.contract.api.shop import LINES, Line

MART = "/api/v1/datamart"


def money(value: Decimal | int | None) -> dict[str, str] | None:
    return None if value is None else {"amount": f"{value:.4f}", "currency": "GBP"}


def decimals(value: Decimal, places: int = 4) -> str:
    """Round half away from zero, as PostgreSQL does; there is no negative zero."""
    return f"{value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP) + 0:f}"


def total(lines: Iterable[Line]) -> Decimal:
    return sum((line.amount for line in lines), Decimal(0))


def net(lines: Iterable[Line]) -> dict[str, str] | None:
    return money(total(lines))


def sales_of(lines: Iterable[Line]) -> list[Line]:
    return [line for line in lines if line.is_sale]


def invoices(lines: Iterable[Line]) -> int:
    return len({line.invoice_no for line in lines})


def customers(lines: Iterable[Line]) -> int:
    return len({line.customer_id for line in lines} - {None})


def grouped(key: Callable[[Line], Any], lines: Sequence[Line] = LINES) -> dict[Any, list[Line]]:
    found: dict[Any, list[Line]] = {}
    for line in lines:
        found.setdefault(key(line), []).append(line)
    return found


def by_net(members: dict[Any, list[Line]]) -> list[tuple[Any, list[Line]]]:
    return sorted(members.items(), key=lambda group: (-total(group[1]), group[0]))


def every_row(api: TestClient, path: str, **query: Any) -> list[dict[str, Any]]:
    """Follow the cursor to the end; no page but the last is short."""
    rows: list[dict[str, Any]] = []
    cursor = None
    while True:
        answer = api.get(path, params={**query, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.text
        body = answer.json()
        rows += body["data"]
        cursor = body["next_cursor"]
        if cursor is None:
            return rows
        assert len(body["data"]) == query.get("limit", 100)
