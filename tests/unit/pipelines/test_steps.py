import json
from decimal import Decimal

import pytest

from cluster.errors import FatalError
from cluster.lakehouse import RowCounts, TableVersion
from pipelines.steps import Money, StepResult, assert_reconciled

COUNTS = RowCounts(6, 3, 2, 1)
MONEY = Money(Decimal("6.0001"), Decimal(3), Decimal("2.0001"), Decimal(1))


def test_what_adds_up_passes() -> None:
    assert_reconciled("silver", COUNTS, MONEY)


@pytest.mark.parametrize("field", ["read", "accepted", "rejected", "merged"])
def test_one_line_or_one_hundredth_of_a_penny_too_many_is_fatal(field: str) -> None:
    with pytest.raises(FatalError, match="silver: lines do not add up"):
        assert_reconciled("silver", RowCounts(**vars(COUNTS) | {field: getattr(COUNTS, field) + 1}), MONEY)
    with pytest.raises(FatalError, match="silver: money does not add up"):
        assert_reconciled("silver", COUNTS, Money(**vars(MONEY) | {field: getattr(MONEY, field) + Decimal("0.0001")}))


def test_a_result_is_json_with_money_as_text() -> None:
    result = StepResult("silver", TableVersion("silver.x", 3, "r"), COUNTS, MONEY, 1.23456, messages=("hello",))
    shown = json.loads(json.dumps(result.as_dict()))
    assert shown["money"] == {"read": "6.0001", "accepted": "3", "rejected": "2.0001", "merged": "1"}
    assert (shown["table"], shown["version"], shown["seconds"]) == ("silver.x", 3, 1.235)
    assert StepResult("gold", None).as_dict()["version"] is None
