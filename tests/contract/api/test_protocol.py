"""What every answer keeps to: versions and ETags, problems, correlation, health, documentation."""

import asyncio
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import psycopg
import pytest
from fastapi.testclient import TestClient

from serve.gateway import TITLE, VERSION, GatewayConfig, create_app
from serve.payloads.values import Presentation
from serve.reading import make_pool, open_reading
from serve.routes.page import PLOTLY_NAME
from tests.contract.api.conftest import MakeClient
from tests.contract.api.postgres import Postgres
from tests.contract.api.shop import DATA_VERSION, LINE_IDS, load_shop, publish

OVERVIEW = "/api/v1/datamart/overview"
READS = [
    "/api/v1/sales",
    f"/api/v1/sales/{LINE_IDS[0]}",
    OVERVIEW,
    "/api/v1/datamart/revenue",
    "/api/v1/datamart/products",
    "/api/v1/datamart/customers",
    "/api/v1/datamart/customers/17850",
    "/api/v1/datamart/countries",
    "/api/v1/datamart/segments",
    "/api/v1/datamart/trends",
    "/api/v1/datamart/cohorts",
    "/api/v1/datamart/baskets",
]


def _problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert problem["correlation_id"] == answer.headers["x-correlation-id"]
    assert problem["detail"]
    assert problem["instance"].startswith("/")
    return problem


@contextmanager
def _locked(url: str) -> Iterator[None]:
    """Hold the facts, so that whoever reads them waits."""
    with psycopg.connect(url) as connection:
        connection.execute("LOCK TABLE gold.fact_sales IN ACCESS EXCLUSIVE MODE")
        yield
        connection.rollback()


@pytest.mark.parametrize("path", READS)
def test_every_read_names_its_version_and_vouches_for_copies(api: TestClient, path: str) -> None:
    first = api.get(path)
    assert first.headers["x-data-version"] == str(DATA_VERSION)
    again = api.get(path, headers={"If-None-Match": f'"other", W/{first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["x-data-version"] == str(DATA_VERSION)
    assert api.get(path, headers={"If-None-Match": '"other"'}).content == first.content


def test_a_copy_is_vouched_for_without_running_the_statement(api: TestClient, shop_url: str) -> None:
    tag = api.get(OVERVIEW).headers["etag"]
    with _locked(shop_url):
        assert api.get(OVERVIEW, headers={"If-None-Match": tag}).status_code == 304
        problem = _problem(api.get(OVERVIEW), 504)
    assert "from" in problem["remedy"]
    assert api.get(OVERVIEW).status_code == 200


def test_tags_differ_by_route_query_and_presentation(api: TestClient, shop_url: str, make_client: MakeClient) -> None:
    tags = [api.get(path).headers["etag"] for path in READS]
    tags += [api.get("/api/v1/sales", params={"limit": limit}).headers["etag"] for limit in (1, 2)]
    euro = TestClient(create_app(GatewayConfig(shop_url, currency="EUR")))
    with euro:
        tags.append(euro.get(OVERVIEW).headers["etag"])
    assert len(set(tags)) == len(tags)
    ordered = api.get("/api/v1/sales?limit=1&country=France").headers["etag"]
    assert api.get("/api/v1/sales?country=France&limit=1").headers["etag"] == ordered


def test_a_publication_ends_a_copy(server: Postgres, make_client: MakeClient) -> None:
    url = server.make_database("published_again")
    load_shop(url)
    client = make_client(url)
    tag = client.get(OVERVIEW).headers["etag"]
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        publish(cursor, DATA_VERSION + 1)
    answer = client.get(OVERVIEW, headers={"If-None-Match": tag})
    assert (answer.status_code, answer.headers["x-data-version"]) == (200, str(DATA_VERSION + 1))


def test_rows_and_version_are_of_one_snapshot(server: Postgres) -> None:
    url = server.make_database("one_snapshot")
    load_shop(url)

    async def read() -> tuple[int, int, int]:
        async with make_pool(url, 1) as pool, open_reading(pool, Presentation("GBP", ZoneInfo("UTC")), 5000) as reading:
            before = (await reading.rows("datamart/quality"))[0]["lines"]
            with psycopg.connect(url) as connection, connection.cursor() as cursor:
                cursor.execute("UPDATE ops.rule_counts SET line_count = line_count + 100")
                publish(cursor, DATA_VERSION + 1)
            return reading.data_version, before, (await reading.rows("datamart/quality"))[0]["lines"]

    version, before, after = asyncio.run(read())
    assert (version, after) == (DATA_VERSION, before)


def test_readers_cannot_write(shop_url: str) -> None:
    async def write() -> None:
        async with (
            make_pool(shop_url, 1) as pool,
            open_reading(pool, Presentation("GBP", ZoneInfo("UTC")), 5000) as read,
        ):
            await read.connection.execute("DELETE FROM ops.rule_counts")

    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        asyncio.run(write())


def test_one_slow_answer_holds_up_no_other(shop_url: str) -> None:
    async def ask() -> tuple[int, list[int], bool]:
        app = create_app(GatewayConfig(shop_url, statement_timeout_ms=2000))
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                slow = asyncio.create_task(client.get(OVERVIEW))
                quick = [(await client.get(path)).status_code for path in ("/health/live", "/health/ready")]
                still_waits = not slow.done()
                return (await slow).status_code, quick, still_waits

    with _locked(shop_url):
        assert asyncio.run(ask()) == (504, [200, 200], True)


@pytest.mark.parametrize(
    ("query", "remedy"),
    [
        ("contry=France", "Did you mean 'country'?"),
        ("Limit=5", "Did you mean 'limit'?"),
        ("zzz=1", "This path takes: country, cursor, customer_id, from, limit, line_type, stock_code, to."),
        ("limit=1&limit=2", "Give one."),
        ("from=2011-02-01&to=2011-01-01", "Exchange the two days."),
    ],
)
def test_a_wrong_parameter_is_refused_with_a_remedy(api: TestClient, query: str, remedy: str) -> None:
    assert remedy in _problem(api.get(f"/api/v1/sales?{query}"), 400)["remedy"]


@pytest.mark.parametrize("path", [*READS[1:], "/health/live", "/health/ready", "/health/dependencies"])
def test_every_path_refuses_what_it_does_not_know(api: TestClient, path: str) -> None:
    assert "'country'" in _problem(api.get(path, params={"country": "France"}), 400)["detail"]


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("/api/v1/sales?limit=0", "query.limit"),
        ("/api/v1/sales?limit=1001", "query.limit"),
        ("/api/v1/sales?from=yesterday", "query.from"),
        ("/api/v1/sales?to=2011-02-30", "query.to"),
        ("/api/v1/sales?line_type=gift", "query.line_type"),
        ("/api/v1/sales?country=", "query.country"),
        ("/api/v1/sales/not-an-id", "path.line_id"),
        ("/api/v1/datamart/revenue?granularity=year", "query.granularity"),
        ("/api/v1/datamart/revenue?group_by=colour", "query.group_by"),
    ],
)
def test_a_wrong_value_is_refused_by_name(api: TestClient, path: str, where: str) -> None:
    assert [fault["where"] for fault in _problem(api.get(path), 422)["errors"]] == [where]


def test_text_that_postgres_cannot_hold_is_the_callers_fault(api: TestClient) -> None:
    _problem(api.get("/api/v1/sales", params={"country": "a\0b"}), 400)
    _problem(api.get("/api/v1/datamart/customers/a%00b"), 400)


def test_unknown_paths_and_methods_are_problems(api: TestClient) -> None:
    for path in ("/api/v1/nothing", "/api/v1/sales/", "/assets/nothing.js", "/assets/..%2Fgateway.py"):
        _problem(api.get(path), 404)
    assert _problem(api.post("/api/v1/sales"), 405)["remedy"]


def test_the_correlation_id_is_taken_over_or_made(api: TestClient) -> None:
    assert api.get(READS[0], headers={"X-Correlation-Id": "order-42:a"}).headers["x-correlation-id"] == "order-42:a"
    made = {
        api.get(READS[0], headers={"X-Correlation-Id": bad}).headers["x-correlation-id"] for bad in ("a b", "x" * 200)
    }
    assert len(made) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in made)
    assert _problem(api.get("/nowhere", headers={"X-Correlation-Id": "q1"}), 404)["correlation_id"] == "q1"


def test_an_unexpected_error_tells_nothing_of_the_inside(api: TestClient) -> None:
    app: Any = api.app

    async def broken() -> None:
        raise ValueError("password=secret")

    app.add_api_route("/broken", broken, include_in_schema=False)
    problem = _problem(api.get("/broken", headers={"X-Correlation-Id": "q2"}), 500)
    assert "secret" not in str(problem)
    assert problem["correlation_id"] == "q2"


def test_health_of_a_warehouse_with_tables(api: TestClient, empty_api: TestClient) -> None:
    for client, version in ((api, DATA_VERSION), (empty_api, 0)):
        assert client.get("/health/live").json()["status"] == "ok"
        assert client.get("/health/ready").status_code == 200
        answer = client.get("/health/dependencies").json()
        (warehouse,) = answer["dependencies"]
        assert (answer["status"], warehouse["name"], warehouse["state"]) == ("ok", "warehouse", "up")
        assert warehouse["latency_ms"] > 0
        assert warehouse["detail"].endswith(f"data version {version}")


def test_a_warehouse_without_tables_is_not_ready_and_says_what_to_do(server: Postgres, make_client: MakeClient) -> None:
    client = make_client(server.make_database("no_tables", migrated=False))
    assert client.get("/health/live").status_code == 200
    ready = client.get("/health/ready")
    assert (ready.status_code, ready.json()["status"]) == (503, "unavailable")
    assert "retail run" in ready.json()["detail"]
    assert "retail run" in _problem(client.get(OVERVIEW), 503)["remedy"]


def test_the_service_outlives_its_warehouse(tmp_path_factory: pytest.TempPathFactory, make_client: MakeClient) -> None:
    server = Postgres.create(tmp_path_factory.mktemp("pg"))
    server.start()
    load_shop(server.make_database("shop", deployed=False))
    server.stop()
    client = make_client(server.url("shop"))
    assert int(client.get(OVERVIEW).headers["retry-after"]) > 0
    assert client.get("/health/live").status_code == 200
    for _ in range(2):  # it comes, goes and comes again
        server.start()
        try:
            assert _becomes(client, 200).headers["x-data-version"] == str(DATA_VERSION)
        finally:
            server.stop()
        _problem(_becomes(client, 503), 503)
    (warehouse,) = client.get("/health/dependencies").json()["dependencies"]
    assert warehouse["state"] == "down"


def _becomes(client: TestClient, status: int) -> httpx.Response:
    """Ask until the status is there: the pool notices and reconnects by itself."""
    deadline = time.monotonic() + 60
    while True:
        answer: httpx.Response = client.get(OVERVIEW)
        if answer.status_code == status or time.monotonic() > deadline:
            return answer
        threading.Event().wait(0.1)


def test_the_document_describes_what_is_there(api: TestClient) -> None:
    document = api.get("/openapi.json").json()
    assert (document["info"]["title"], document["info"]["version"]) == (TITLE, VERSION)
    assert TITLE == "PwC Data Engineering Challenge - Enterprise API"
    assert VERSION == "2.0.0"
    reads = {
        path.replace("{line_id}", str(LINE_IDS[0])).replace("{customer_id}", "17850") for path in document["paths"]
    }
    assert reads == {*READS, "/health/live", "/health/ready", "/health/dependencies"}
    for path, operations in document["paths"].items():
        assert set(operations) == {"get"}
        operation = operations["get"]
        assert operation["summary"]
        if path.startswith("/api"):
            assert "application/problem+json" in operation["responses"]["422"]["content"]
    names = (
        "Sale",
        "Overview",
        "Revenue",
        "Product",
        "Customer",
        "Country",
        "Segment",
        "Trend",
        "Cohort",
        "BasketPair",
    )
    for name in (*names, "Money"):
        assert document["components"]["schemas"][name]["examples"]


def test_examples_have_the_shape_that_they_show(api: TestClient) -> None:
    schemas = api.get("/openapi.json").json()["components"]["schemas"]
    lists = {
        "Revenue": "revenue", "Product": "products", "Customer": "customers", "Country": "countries",
        "Segment": "segments", "Trend": "trends", "Cohort": "cohorts", "BasketPair": "baskets",
    }  # fmt: skip
    answers = {
        "Sale": api.get(f"/api/v1/sales/{LINE_IDS[0]}").json(),
        "Overview": api.get(OVERVIEW).json(),
        **{name: api.get(f"/api/v1/datamart/{path}").json()["data"][0] for name, path in lists.items()},
    }
    for name, answer in answers.items():
        # FastAPI leaves nulls out of the examples it shows.
        assert set(schemas[name]["examples"][0]) | {key for key, value in answer.items() if value is None} == set(
            answer
        )


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/"])
def test_pages_need_no_outside_host(api: TestClient, path: str) -> None:
    page = api.get(path)
    assert page.status_code == 200
    sources = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert sources
    for source in sources:
        assert not re.match(r"(https?:)?//", source)
        if source.startswith("/"):
            assert api.get(source).status_code == 200
    assert "http" not in re.sub(r"data:[^\"]+", "", page.headers["content-security-policy"] + "".join(sources))


def test_plotly_is_kept_for_ever_and_goes_packed(api: TestClient) -> None:
    plain = api.get(f"/assets/{PLOTLY_NAME}", headers={"Accept-Encoding": "identity"})
    packed = api.get(f"/assets/{PLOTLY_NAME}", headers={"Accept-Encoding": "gzip"})
    assert "immutable" in packed.headers["cache-control"]
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content
    assert int(packed.headers["content-length"]) < len(plain.content) / 2


def test_the_files_of_the_page_are_vouched_for(api: TestClient) -> None:
    for path in ("/", "/assets/page.css", "/assets/page.js"):
        tag = api.get(path).headers["etag"]
        assert api.get(path, headers={"If-None-Match": tag}).status_code == 304


def test_answers_carry_the_security_headers(api: TestClient) -> None:
    for path in ("/", READS[0], "/nowhere", "/docs"):
        headers = api.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "default-src 'self'" in headers["content-security-policy"]
    assert "script-src" not in api.get("/").headers["content-security-policy"]
