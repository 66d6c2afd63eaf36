"""The shape of an invoice line; knows no route."""

from datetime import date
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from serve.payloads.values import MoneyValue, ShopTime

LineType = Literal["adjustment", "discount", "fee", "write_off", "return", "sale"]

_EXAMPLE: dict[str, Any] = {
    "line_id": "0c3a4a0e-7a59-4f3b-9d63-6f5f9c2f6a11",
    "invoice_no": "536365",
    "invoice_date": "2010-12-01",
    "invoice_ts": "2010-12-01T08:26:00Z",
    "stock_code": "85123A",
    "description": "WHITE HANGING HEART T-LIGHT HOLDER",
    "customer_id": "17850",
    "country": "United Kingdom",
    "quantity": 6,
    "unit_price": {"amount": "2.5500", "currency": "GBP"},
    "total_amount": {"amount": "15.3000", "currency": "GBP"},
    "discount_amount": None,
    "line_type": "sale",
    "is_sale": True,
    "is_return": False,
    "data_quality_score": 1.0,
    "source_row_id": "8f2c1b7d90aa4e13:2",
    "batch_id": "20101201T090000Z-4f1a",
}


class Sale(BaseModel):
    """One invoice line."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    line_id: UUID = Field(description="Identity of the line, made from its content.")
    invoice_no: str
    invoice_date: date
    invoice_ts: ShopTime = Field(description="The shop's time with its offset (RFC 3339).")
    stock_code: str = Field(description="Normalised: upper case, single blanks.")
    description: str | None = Field(description="The product's description on that day.")
    customer_id: str | None = Field(description="Null for guests.")
    country: str = Field(description="The line's own country.")
    quantity: int
    unit_price: MoneyValue
    total_amount: MoneyValue = Field(description="quantity × unit_price; a discount is never subtracted.")
    discount_amount: MoneyValue | None = Field(description="Null where the source has none.")
    line_type: LineType
    is_sale: bool = Field(description="Invoice not starting with C, quantity > 0 and price > 0.")
    is_return: bool = Field(description="quantity < 0.")
    data_quality_score: float = Field(ge=0, le=1, description="1 minus the weights of the line's warnings.")
    source_row_id: str = Field(description="Start of the source file's sha256, colon, line number.")
    batch_id: str = Field(description="The run that ingested the line.")
