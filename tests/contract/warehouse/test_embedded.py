"""The warehouse suite on the embedded PostgreSQL."""

from collections.abc import Iterator

import pytest

from cluster.settings import load_settings
from cluster.warehouse import running_warehouse
from tests.contract.warehouse.databases import make_databases
from tests.contract.warehouse.suite import WarehouseSuite


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_warehouse(load_settings(home=tmp_path_factory.mktemp("embedded"))) as url:
        yield url


class TestEmbedded(WarehouseSuite):
    @pytest.fixture
    def url(self, server: str) -> Iterator[str]:
        yield from make_databases(server)
