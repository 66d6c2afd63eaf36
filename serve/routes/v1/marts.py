"""What the marts know of customers, months and baskets."""

from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from serve.dependencies import Read, ReadMarts, known_parameters
from serve.paging import Ordering, PageRequest, paging
from serve.payloads.marts import BasketPair, BasketSort, Cohorts, Segments, Trends, cohorts_of, trends_of
from serve.payloads.values import Page
from serve.routes.responses import READ_RESPONSES

router = APIRouter(
    prefix="/api/v1/datamart", tags=["datamart"], dependencies=[Depends(known_parameters)], responses=READ_RESPONSES
)

BY_MEASURE: Ordering = {
    "after_value": ("sort_value", Decimal),
    "after_code_a": ("code_a", str),
    "after_code_b": ("code_b", str),
}


def basket_filters(
    sort: Annotated[BasketSort, Query(description="Largest first.")] = "lift",
    stock_code: Annotated[
        str | None, Query(min_length=1, examples=["22697"], description="Either product's, in any case.")
    ] = None,
    min_lift: Annotated[
        Decimal | None, Query(ge=0, max_digits=24, decimal_places=10, examples=["1.5"], description="Smallest lift.")
    ] = None,
) -> dict[str, Any]:
    """Read the order and the filters; all that are given must hold."""
    code = " ".join(stock_code.split()).upper() if stock_code else None
    return {"sort": sort, "stock_code": code, "min_lift": min_lift}


BasketFilters = Annotated[dict[str, Any], Depends(basket_filters)]
BasketsPage = Annotated[PageRequest, Depends(paging(BY_MEASURE))]


@router.get("/segments", summary="Give the RFM segments, largest revenue first")
async def segments(read: ReadMarts) -> Segments:
    """Give one row per segment of named customers, by recency, frequency and money up to `as_of`."""
    rows = await read.rows("datamart/segments")
    return read.present(Segments, {"as_of": max((row["as_of"] for row in rows), default=None), "data": rows})


@router.get("/trends", summary="Give every month with its changes")
async def trends(read: ReadMarts) -> Trends:
    """Give one row per month, oldest first, with the change on the previous month and the same month a year before."""
    return read.present(Trends, trends_of(await read.rows("datamart/trends")))


@router.get("/cohorts", summary="Give the cohorts with their retention")
async def cohorts(read: ReadMarts) -> Cohorts:
    """Give one entry per month of first sale: its customers and their revenue in each month since."""
    return read.present(Cohorts, cohorts_of(await read.rows("datamart/cohorts")))


@router.get("/baskets", summary="List products bought together, largest lift first")
async def baskets(page: BasketsPage, values: BasketFilters, read: Read) -> Page[BasketPair]:
    """Give one row per pair of products that were sold on the same invoices often enough."""
    answer: Page[BasketPair] = await read.page(Page[BasketPair], "datamart/baskets", page, values)
    return answer
