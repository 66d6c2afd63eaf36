"""Aggregates of everything that is published."""

from datetime import date
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from serve.dependencies import Days, Read, ReadMarts, known_parameters
from serve.paging import Ordering, PageRequest, paging
from serve.payloads.datamart import (
    Countries,
    Customer,
    CustomerDetail,
    Granularity,
    GroupBy,
    Overview,
    Product,
    Revenue,
)
from serve.payloads.values import Page
from serve.routes.responses import NOT_FOUND, READ_RESPONSES

router = APIRouter(
    prefix="/api/v1/datamart", tags=["datamart"], dependencies=[Depends(known_parameters)], responses=READ_RESPONSES
)

BY_PERIOD: Ordering = {"after_period": ("period_start", date.fromisoformat), "after_member": ("member", str)}
PRODUCTS_BY_NET: Ordering = {"after_net": ("net", Decimal), "after_code": ("stock_code", str)}
CUSTOMERS_BY_NET: Ordering = {"after_net": ("net", Decimal), "after_customer": ("customer_id", str)}
FIRST_PAGE_OF_ONE = {"after_net": None, "after_customer": None, "limit": 1}

RevenuePage = Annotated[PageRequest, Depends(paging(BY_PERIOD, default_limit=1000))]
ProductsPage = Annotated[PageRequest, Depends(paging(PRODUCTS_BY_NET))]
CustomersPage = Annotated[PageRequest, Depends(paging(CUSTOMERS_BY_NET))]


@router.get("/overview", summary="Give the totals and what the quality rules found")
async def overview(read: Read) -> Overview:
    """Give the totals of all lines, the publication they come from, and lines and money per quality rule."""
    totals = (await read.rows("datamart/overview"))[0]
    publication = {"data_version": read.data_version, "published_at": read.published_at}
    quality = await read.rows("datamart/quality")
    return read.present(Overview, {**totals, "publication": publication, "quality": quality})


@router.get("/revenue", summary="Give revenue by day, ISO week or month")
async def revenue(
    page: RevenuePage,
    days: Days,
    read: Read,
    granularity: Annotated[Granularity, Query()] = "day",
    group_by: Annotated[GroupBy | None, Query(description="Also by country or stock code.")] = None,
) -> Page[Revenue]:
    """Give one row per period that has lines, oldest first; follow `next_cursor` for more."""
    values = {**days, "granularity": granularity, "group_by": group_by}
    answer: Page[Revenue] = await read.page(Page[Revenue], "datamart/revenue", page, values)
    return answer


@router.get("/products", summary="List products, largest net first")
async def products(page: ProductsPage, read: ReadMarts) -> Page[Product]:
    """Give one row per stock code; codes that differ only by case or blanks are one."""
    answer: Page[Product] = await read.page(Page[Product], "datamart/products", page)
    return answer


@router.get("/customers", summary="List named customers, largest net first")
async def customers(page: CustomersPage, read: Read) -> Page[Customer]:
    """Give one row per named customer; guests are left out."""
    answer: Page[Customer] = await read.page(Page[Customer], "datamart/customers", page, {"customer_id": None})
    return answer


@router.get("/customers/{customer_id}", summary="Give one customer", responses=NOT_FOUND)
async def customer(customer_id: Annotated[str, Path(examples=["14646"])], read: Read) -> CustomerDetail:
    """Give a named customer's figures, the countries over time, and the months behind the figures."""
    one = {"customer_id": customer_id}
    what, remedy = f"There is no customer {customer_id}", "List customers at /api/v1/datamart/customers."
    totals = await read.one("datamart/customers", {**one, **FIRST_PAGE_OF_ONE}, what, remedy)
    versions = await read.rows("datamart/customer_versions", one)
    months = await read.rows("datamart/customer_months", one)
    return read.present(CustomerDetail, {**totals, "versions": versions, "months": months})


@router.get("/countries", summary="List all countries, largest net first")
async def countries(read: Read) -> Countries:
    """Give one row per country that has lines."""
    return read.present(Countries, {"data": await read.rows("datamart/countries")})
