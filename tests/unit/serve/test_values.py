import json
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from serve.payloads.values import MoneyValue, Presentation, ShopTime

LONDON = Presentation("GBP", ZoneInfo("Europe/London"))


class Shown(BaseModel):
    money: MoneyValue | None = None
    at: ShopTime | None = None


@given(st.integers(-(10**20), 10**20))
def test_money_goes_out_exactly(ten_thousandths: int) -> None:
    value = Decimal(ten_thousandths).scaleb(-4)
    shown = json.loads(Shown.model_validate({"money": value}, context=LONDON).model_dump_json())
    assert Decimal(shown["money"]["amount"]) == value
    assert shown["money"]["currency"] == "GBP"


def test_money_has_four_decimals_whatever_its_scale() -> None:
    amounts = [Decimal("0"), Decimal("1"), Decimal("-2.5"), Decimal("1E+3"), Decimal("0.0001"), 7]
    shown = [Shown.model_validate({"money": amount}, context=LONDON).money for amount in amounts]
    assert [money.amount for money in shown if money] == [
        "0.0000",
        "1.0000",
        "-2.5000",
        "1000.0000",
        "0.0001",
        "7.0000",
    ]


def test_no_money_stays_none() -> None:
    assert Shown.model_validate({"money": None}, context=LONDON).money is None


def test_shop_times_get_their_offset_and_instants_keep_theirs() -> None:
    for local, shown in (
        ("2011-01-04T10:00:00", "2011-01-04T10:00:00Z"),
        ("2011-07-01T12:00:00", "2011-07-01T12:00:00+01:00"),
        ("2011-10-30T01:30:00", "2011-10-30T01:30:00+01:00"),  # told twice: the first
    ):
        dumped = Shown.model_validate({"at": datetime.fromisoformat(local)}, context=LONDON).model_dump_json()
        assert json.loads(dumped)["at"] == shown
    instant = datetime.fromisoformat("2011-07-01T12:00:00+05:00")
    assert Shown.model_validate({"at": instant}, context=LONDON).at == instant
