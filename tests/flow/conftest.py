"""A whole platform for the flow tests: lake, embedded warehouse and API, on the run's one Ray."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from cluster.lakehouse import Lakehouse
from cluster.ray_session import RaySession
from cluster.settings import Settings, load_settings
from cluster.storage import Storage
from cluster.warehouse import migrate, running_warehouse
from pipelines.content_hash import HASHED, content_hash
from pipelines.marts.deploy import deploy_marts
from pipelines.refresh import STEPS, Step
from ray_apps.session import Order, Run, Session, run_steps
from serve.gateway import GatewayConfig, create_app


@dataclass(frozen=True)
class Shop:
    """A platform with its warehouse running."""

    session: Session

    @property
    def settings(self) -> Settings:
        return self.session.settings

    @property
    def lake(self) -> Lakehouse:
        return Lakehouse(Storage.of(self.settings))

    def run(self, *inputs: Path, steps: tuple[Step, ...] = STEPS) -> Run:
        order = Order("test", [str(path) for path in inputs], steps)
        return run_steps(self.session, order, lambda what, done, total: None)

    def hashes(self) -> dict[str, str]:
        versions = {table: self.lake.version(table) for table in HASHED}
        return {table: content_hash(self.lake, table, v) for table, v in versions.items() if v is not None}


MakeShop = Callable[[Path], Shop]


@pytest.fixture(scope="session")
def warehouse_of() -> Iterator[Callable[[Settings], str]]:
    """Start the embedded warehouse of a home; all end with the run."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def start(settings: Settings) -> str:
            url = stack.enter_context(running_warehouse(settings))
            migrate(url)
            return url

        yield start


@pytest.fixture(scope="session")
def make_shop(ray_local: RaySession, warehouse_of: Callable[[Settings], str]) -> MakeShop:
    def make(home: Path) -> Shop:
        settings = load_settings(home=home)
        return Shop(Session(settings, warehouse_of(settings), ray_local))

    return make


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The real year; absent on a machine without it."""
    default = Path(__file__).parents[2].parent / "shared" / "data"
    folder = Path(os.environ.get("RETAIL_REAL_DATA", default)) / "online_retail"
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; RETAIL_REAL_DATA names another place")
    return folder


@pytest.fixture(scope="session")
def real_shop(real_data: Path, make_shop: MakeShop, tmp_path_factory: pytest.TempPathFactory) -> tuple[Shop, Run]:
    """A platform with marts that holds the real year, and the run that brought it."""
    shop = make_shop(tmp_path_factory.mktemp("year") / "home")
    deploy_marts(shop.settings, shop.session.url)
    return shop, shop.run(real_data / "online_retail.csv.gz")


@pytest.fixture(scope="session")
def real_api(real_shop: tuple[Shop, Run]) -> Iterator[TestClient]:
    shop, _ = real_shop
    with TestClient(create_app(GatewayConfig(shop.session.url))) as client:
        yield client
