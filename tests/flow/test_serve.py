"""The API on Ray Serve: settings → replica → answer, stopped and started again on another port."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from pydantic import SecretStr

from cluster.errors import ConfigurationError
from cluster.ports import free_port
from cluster.ray_session import RaySession
from cluster.settings import Settings, load_settings
from serve import app
from tests.contract.api.postgres import Postgres
from tests.contract.api.shop import DATA_VERSION, load_shop

HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = Postgres.create(tmp_path_factory.mktemp("pg"))
    server.start()
    url = server.make_database("shop", deployed=False)
    load_shop(url)
    yield url
    server.stop()


def _settings(home: Path, url: str) -> Settings:
    return load_settings(
        home=home, warehouse_url=SecretStr(url), http_port=free_port(), currency="EUR", time_zone="Europe/Paris"
    )


def _get(port: int, path: str) -> tuple[int, dict[str, str], Any]:
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    is_json = "json" in answer.getheader("content-type", "")
    return (
        answer.status,
        {name.lower(): value for name, value in answer.getheaders()},
        json.loads(body) if is_json else body,
    )


def test_serve_answers_with_the_settings_of_its_builder(ray_local: RaySession, warehouse: str, tmp_path: Path) -> None:
    assert ray_local.is_own
    for _ in range(2):
        settings = _settings(tmp_path, warehouse)
        app.start(settings)
        try:
            status, headers, sales = _get(settings.http_port, "/api/v1/sales?limit=1")
            assert (status, headers["x-data-version"]) == (200, str(DATA_VERSION))
            assert sales["data"][0]["unit_price"]["currency"] == "EUR"
            assert sales["data"][0]["invoice_ts"].endswith("+01:00")
            for path in ("/", "/docs", "/health/live", "/health/ready", "/openapi.json"):
                assert _get(settings.http_port, path)[0] == 200
            status, headers, problem = _get(settings.http_port, "/api/v1/sales?limt=1")
            assert (status, headers["content-type"]) == (400, "application/problem+json")
            assert "'limit'" in problem["remedy"]
            addresses = {
                c.laddr.ip for c in psutil.net_connections("tcp") if c.laddr and c.laddr.port == settings.http_port
            }
            assert addresses == {HOST}
            with pytest.raises(ConfigurationError, match="cannot listen"):
                app.start(settings)
            assert _get(settings.http_port, "/health/ready")[0] == 200
        finally:
            app.stop()
