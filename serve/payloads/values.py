"""The values that all payloads share: money, the shop's time, pages; knows no resource.

A payload is made from a statement's rows with `Presentation` as validation context.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

Item = TypeVar("Item", bound=BaseModel)


@dataclass(frozen=True)
class Presentation:
    """How values go out: the currency of all money and the zone of the shop's local times."""

    currency: str
    zone: ZoneInfo


class Money(BaseModel):
    """An exact amount: a decimal string with four decimals, and its currency."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"amount": "15.3000", "currency": "GBP"}]})

    amount: str = Field(pattern=r"^-?\d+\.\d{4}$", description="Decimal string, always four decimals.")
    currency: str = Field(pattern=r"^[A-Z]{3}$", description="ISO 4217 code.")


def _with_currency(value: Any, info: ValidationInfo) -> Any:
    """The warehouse keeps four decimals, so writing four loses nothing."""
    if isinstance(value, Decimal | int) and isinstance(info.context, Presentation):
        return Money(amount=f"{value:.4f}", currency=info.context.currency)
    return value


def _with_zone(value: Any, info: ValidationInfo) -> Any:
    if isinstance(value, datetime) and value.tzinfo is None and isinstance(info.context, Presentation):
        return value.replace(tzinfo=info.context.zone)
    return value


def _with_decimals(places: int) -> BeforeValidator:
    """Statements round to the decimals that go out, so writing them loses nothing."""

    def write(value: Any) -> Any:
        return f"{value:.{places}f}" if isinstance(value, Decimal) else value

    return BeforeValidator(write)


MoneyValue = Annotated[Money, BeforeValidator(_with_currency)]
"""Made from the warehouse's Decimal."""
ShopTime = Annotated[datetime, BeforeValidator(_with_zone)]
"""RFC 3339, made from the shop's local time; an hour that the clocks repeat is taken as the first."""


Ratio = Annotated[str, _with_decimals(4), Field(pattern=r"^-?\d+\.\d{4}$")]
"""A share, a change or an average: a decimal string with four decimals."""
Measure = Annotated[str, _with_decimals(10), Field(pattern=r"^-?\d+\.\d{10}$")]
"""A measure of a pair of products: a decimal string with ten decimals."""


class Page(BaseModel, Generic[Item]):
    """A page of a list."""

    data: list[Item]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null: this is the last one.")
