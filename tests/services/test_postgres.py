"""The warehouse suite on a real PostgreSQL over TCP."""

import os
from collections.abc import Iterator

import pytest

from cluster.errors import RetryableError
from cluster.settings import load_settings
from cluster.warehouse import running_warehouse
from tests.contract.warehouse.databases import make_databases
from tests.contract.warehouse.suite import WarehouseSuite


@pytest.fixture(scope="module")
def server() -> str:
    url = os.environ.get("RETAIL_TEST_POSTGRES_URL")
    if not url:
        pytest.skip("RETAIL_TEST_POSTGRES_URL names no server; make test-services starts one where ../shared has it")
    return url.replace("postgres://", "postgresql://", 1)


class TestRealPostgres(WarehouseSuite):
    @pytest.fixture
    def url(self, server: str) -> Iterator[str]:
        yield from make_databases(server)


def test_a_server_that_is_set_is_used_and_one_that_is_away_is_an_error(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETAIL_WAREHOUSE_URL", server)
    with running_warehouse(load_settings()) as url:
        assert url == server
    monkeypatch.setenv("RETAIL_WAREHOUSE_URL", "postgresql://nobody@127.0.0.1:9/none")
    with pytest.raises(RetryableError, match="does not answer"), running_warehouse(load_settings()):
        pass
