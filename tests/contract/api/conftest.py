"""One PostgreSQL for the suite; the API as a client sees it, without Serve."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from fastapi.testclient import TestClient

from serve.gateway import GatewayConfig, create_app
from tests.contract.api.postgres import Postgres
from tests.contract.api.shop import load_shop

MakeClient = Callable[[str], TestClient]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    running = Postgres.create(tmp_path_factory.mktemp("pg"))
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def shop_url(server: Postgres) -> str:
    url = server.make_database("shop")
    load_shop(url)
    return url


@pytest.fixture(scope="session")
def make_client() -> Iterator[MakeClient]:
    with ExitStack() as stack:

        def make(url: str) -> TestClient:
            app = create_app(GatewayConfig(url, statement_timeout_ms=500, pool_size=2))
            return stack.enter_context(TestClient(app, raise_server_exceptions=False))

        yield make


@pytest.fixture(scope="session")
def api(shop_url: str, make_client: MakeClient) -> TestClient:
    return make_client(shop_url)


@pytest.fixture(scope="session")
def empty_api(server: Postgres, make_client: MakeClient) -> TestClient:
    return make_client(server.make_database("nothing_published"))
