"""The suite of the marts on the embedded PostgreSQL."""

from collections.abc import Iterator

import pytest

from cluster.settings import load_settings
from cluster.warehouse import running_warehouse
from tests.contract.warehouse.databases import make_databases
from tests.contract.warehouse.mart_suite import MartSuite


class TestEmbeddedMarts(MartSuite):
    @pytest.fixture(scope="class")
    def url(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
        with running_warehouse(load_settings(home=tmp_path_factory.mktemp("embedded"))) as server:
            yield from make_databases(server)
