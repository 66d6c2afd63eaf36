"""Invoice lines: a filtered list and a single line."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query

from serve.dependencies import Days, Read, known_parameters
from serve.paging import Ordering, PageRequest, paging
from serve.payloads.sales import LineType, Sale
from serve.payloads.values import Page
from serve.routes.responses import NOT_FOUND, READ_RESPONSES

router = APIRouter(
    prefix="/api/v1/sales", tags=["sales"], dependencies=[Depends(known_parameters)], responses=READ_RESPONSES
)

OLDEST_FIRST: Ordering = {
    "after_date": ("invoice_date", date.fromisoformat),
    "after_key": ("sale_key", int),
}
SALE_KEY_BITS = 63


def filters(
    days: Days,
    country: Annotated[str | None, Query(min_length=1, examples=["France"])] = None,
    stock_code: Annotated[str | None, Query(min_length=1, examples=["85123A"], description="In any case.")] = None,
    customer_id: Annotated[
        str | None, Query(min_length=1, examples=["17850"], description="GUEST for lines without a customer.")
    ] = None,
    line_type: Annotated[LineType | None, Query()] = None,
) -> dict[str, Any]:
    """Read the filters; all that are given must hold."""
    code = " ".join(stock_code.split()).upper() if stock_code else None
    return {**days, "country": country, "stock_code": code, "customer_id": customer_id, "line_type": line_type}


Filters = Annotated[dict[str, Any], Depends(filters)]
SalesPage = Annotated[PageRequest, Depends(paging(OLDEST_FIRST))]


@router.get("", summary="List invoice lines, oldest day first")
async def list_sales(page: SalesPage, values: Filters, read: Read) -> Page[Sale]:
    """Give invoice lines ordered by day; follow `next_cursor` for more."""
    answer: Page[Sale] = await read.page(Page[Sale], "sales/list", page, values)
    return answer


@router.get("/{line_id}", summary="Give one invoice line", responses=NOT_FOUND)
async def get_sale(line_id: Annotated[UUID, Path(description="With hyphens, or 32 hex digits.")], read: Read) -> Sale:
    """Give the invoice line with this id."""
    # The fact's key is the lower 63 bits of the line's id.
    values = {"line_id": line_id, "sale_key": line_id.int % 2**SALE_KEY_BITS}
    row = await read.one("sales/line", values, f"There is no line {line_id}", "List lines at /api/v1/sales.")
    return read.present(Sale, row)
