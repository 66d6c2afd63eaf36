from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.errors import RequestError
from serve.paging import Ordering, PageRequest, decode, encode

ORDERING: Ordering = {
    "after_day": ("day", date.fromisoformat),
    "after_net": ("net", Decimal),
    "after_name": ("name", str),
}
rows = st.fixed_dictionaries(
    {
        "day": st.dates(),
        "net": st.decimals(allow_nan=False, allow_infinity=False, places=4),
        "name": st.text(),
    }
)


def _cursor(row: dict[str, Any], scope: str = "scope") -> str:
    page, cursor = PageRequest(ORDERING, 1, scope, {}).cut([row, row])
    assert page == [row]
    assert cursor is not None
    return cursor


@given(rows)
def test_a_cursor_brings_back_its_row(row: dict[str, Any]) -> None:
    position = decode("scope", _cursor(row), ORDERING)
    assert position == {"after_day": row["day"], "after_net": row["net"], "after_name": row["name"]}


@given(rows, st.text(), st.text())
def test_a_cursor_is_bound_to_its_scope(row: dict[str, Any], scope: str, other: str) -> None:
    cursor = _cursor(row, scope)
    if scope == other:
        decode(other, cursor, ORDERING)
    else:
        with pytest.raises(RequestError):
            decode(other, cursor, ORDERING)


@given(rows, st.data())
def test_no_altered_cursor_is_taken(row: dict[str, Any], data: st.DataObject) -> None:
    cursor = _cursor(row)
    # The last character's spare bits are no part of the position.
    place = data.draw(st.integers(0, len(cursor) - 2))
    other = data.draw(st.sampled_from("ABCDxyz-_09"))
    altered = cursor[:place] + other + cursor[place + 1 :]
    if altered != cursor:
        with pytest.raises(RequestError) as caught:
            decode("scope", altered, ORDERING)
        assert caught.value.remedy


@given(st.text())
def test_any_text_is_refused_as_a_request_error(text: str) -> None:
    with pytest.raises(RequestError):
        decode("scope", text, ORDERING)


@pytest.mark.parametrize(
    "texts", [[], ["2011-01-01"], ["2011-01-01", "1", "a", "b"], ["not a day", "1", "a"], ["2011-01-01", "x", "a"]]
)
def test_a_forged_position_is_refused_as_a_request_error(texts: list[str]) -> None:
    with pytest.raises(RequestError):
        decode("scope", encode("scope", texts), ORDERING)


def test_the_last_page_has_no_cursor() -> None:
    row = {"day": date(2011, 1, 1), "net": Decimal(1), "name": "a"}
    request = PageRequest(ORDERING, 2, "scope", dict.fromkeys(ORDERING))
    assert request.cut([row, row]) == ([row, row], None)
    assert request.cut([]) == ([], None)
    assert request.values() == {"after_day": None, "after_net": None, "after_name": None, "limit": 3}
