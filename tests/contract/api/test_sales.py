from decimal import Decimal
from typing import Any

import psycopg
import pytest
from fastapi.testclient import TestClient
from psycopg.rows import dict_row

from tests.contract.api.shop import LINE_IDS, LINES, Line, sale_key
from warehouse_sql.statements import statement

SALES = "/api/v1/sales"
ORDERED = sorted(range(len(LINES)), key=lambda place: (LINES[place].at.date(), sale_key(LINE_IDS[place])))


def _ids(answer: dict[str, Any]) -> list[str]:
    return [sale["line_id"] for sale in answer["data"]]


def _expected(keep: Any) -> list[str]:
    return [str(LINE_IDS[place]) for place in ORDERED if keep(LINES[place])]


def test_a_sale_carries_its_line_exactly(api: TestClient) -> None:
    first = api.get(f"{SALES}/{LINE_IDS[2]}").json()
    assert first == {
        "line_id": str(LINE_IDS[2]),
        "invoice_no": "536365",
        "invoice_date": "2010-12-01",
        "invoice_ts": "2010-12-01T08:26:00Z",
        "stock_code": "22423",
        "description": "REGENCY <CAKESTAND> & TRAY",
        "customer_id": "17850",
        "country": "United Kingdom",
        "quantity": 2,
        "unit_price": {"amount": "12.7500", "currency": "GBP"},
        "total_amount": {"amount": "25.5000", "currency": "GBP"},
        "discount_amount": None,
        "line_type": "sale",
        "is_sale": True,
        "is_return": False,
        "data_quality_score": 1.0,
        "source_row_id": "0123456789abcdef:2",
        "batch_id": "batch-1",
    }


def test_money_keeps_the_third_decimal_and_its_sign(api: TestClient) -> None:
    assert api.get(f"{SALES}/{LINE_IDS[8]}").json()["total_amount"]["amount"] == "0.0040"
    assert api.get(f"{SALES}/{LINE_IDS[11]}").json()["unit_price"]["amount"] == "-11062.0600"


def test_times_carry_the_offset_of_their_day(api: TestClient) -> None:
    summer = api.get(f"{SALES}/{LINE_IDS[10]}").json()
    assert summer["invoice_ts"] == "2011-07-01T12:00:00+01:00"


def test_a_line_shows_the_product_as_it_was_on_that_day(api: TestClient) -> None:
    names = [api.get(f"{SALES}/{LINE_IDS[place]}").json()["description"] for place in (0, 8)]
    assert names == ["WHITE HANGING HEART", "CREAM HANGING HEART"]


def test_a_guest_has_no_customer(api: TestClient) -> None:
    assert api.get(f"{SALES}/{LINE_IDS[4]}").json()["customer_id"] is None


def test_an_id_is_taken_with_and_without_hyphens(api: TestClient) -> None:
    assert api.get(f"{SALES}/{LINE_IDS[0].hex}").json()["line_id"] == str(LINE_IDS[0])


@pytest.mark.parametrize(
    ("query", "keep"),
    [
        ("", lambda line: True),
        ("?from=2010-12-02&to=2011-01-31", lambda line: "2010-12-02" <= str(line.at.date()) <= "2011-01-31"),
        ("?to=2010-12-01", lambda line: str(line.at.date()) <= "2010-12-01"),
        ("?country=France", lambda line: line.country == "France"),
        ("?stock_code=85123a", lambda line: line.stock_code == "85123A"),
        ("?stock_code=%20post%20", lambda line: line.stock_code == "POST"),
        ("?customer_id=12583", lambda line: line.customer_id == "12583"),
        ("?customer_id=GUEST", lambda line: line.customer_id is None),
        ("?line_type=fee", lambda line: line.line_type == "fee"),
        (
            "?customer_id=17850&stock_code=22423&from=2011-01-01",
            lambda line: line.customer_id == "17850" and line.stock_code == "22423" and line.at.year == 2011,
        ),
        ("?country=Atlantis", lambda line: False),
    ],
)
def test_filters_give_the_lines_that_they_name(api: TestClient, query: str, keep: Any) -> None:
    answer = api.get(SALES + query).json()
    assert _ids(answer) == _expected(keep)
    assert answer["next_cursor"] is None


@pytest.mark.parametrize("limit", [1, 2, 5, len(LINES) - 1, len(LINES), 1000])
def test_pages_join_to_the_whole_list(api: TestClient, limit: int) -> None:
    seen: list[str] = []
    cursor: str | None = None
    while True:
        query = {"limit": limit} | ({"cursor": cursor} if cursor else {})
        answer = api.get(SALES, params=query).json()
        assert 0 < len(answer["data"]) <= limit
        seen += _ids(answer)
        cursor = answer["next_cursor"]
        if cursor is None:
            break
    assert seen == _expected(lambda line: True)


def test_a_cursor_holds_for_its_filters_only(api: TestClient) -> None:
    cursor = api.get(SALES, params={"limit": 1, "country": "France"}).json()["next_cursor"]
    same = api.get(SALES, params={"limit": 2, "country": "France", "cursor": cursor})
    assert _ids(same.json()) == _expected(lambda line: line.country == "France")[1:3]
    for other in ({"country": "EIRE"}, {}, {"country": "France", "from": "2010-01-01"}):
        answer = api.get(SALES, params={**other, "cursor": cursor})
        assert answer.status_code == 400
        assert "next_cursor" in answer.json()["remedy"]


def test_an_altered_cursor_is_refused(api: TestClient) -> None:
    cursor = api.get(SALES, params={"limit": 1}).json()["next_cursor"]
    altered = cursor[:-2] + ("A" if cursor[-2] != "A" else "B") + cursor[-1]
    for wrong in (altered, "abc", "é", "", cursor + "AAAA"):
        assert api.get(SALES, params={"cursor": wrong}).status_code == 400


def test_an_unknown_line_is_a_404(api: TestClient) -> None:
    answer = api.get(f"{SALES}/00000000-0000-0000-0000-000000000000")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_days_leave_out_the_partitions_outside_them(shop_url: str) -> None:
    values = dict.fromkeys(("after_date", "after_key", "country", "stock_code", "customer_id", "line_type"))
    days = {"from_date": "2011-01-01", "to_date": "2011-02-28", "limit": 10}
    with psycopg.connect(shop_url, row_factory=dict_row, prepare_threshold=None) as connection:
        plan = connection.execute(b"EXPLAIN " + statement("sales/list").encode(), {**values, **days}).fetchall()
    text = "\n".join(row["QUERY PLAN"] for row in plan)
    assert "fact_sales_of_20110101" in text
    assert "fact_sales_of_20101001" not in text
    assert "fact_sales_of_20110701" not in text


def test_the_hand_made_lines_cover_what_is_told_apart() -> None:
    kinds: set[str] = {line.line_type for line in LINES}
    assert kinds == {"sale", "return", "write_off", "fee", "adjustment"}
    assert sum((line.amount for line in LINES if _is_guest(line)), Decimal(0)) == Decimal("-11036.57")


def _is_guest(line: Line) -> bool:
    return line.customer_id is None
