"""What all suites share: one local Ray for a whole run, in the one process that runs all tests of Ray."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

from cluster.ray_session import RaySession, ray_session
from cluster.settings import load_settings

USE_RAY = ("tests/flow/",)
pytest.register_assert_rewrite("tests.contract.warehouse.suite")


@pytest.fixture(scope="session")
def ray_local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RaySession]:
    """A local Ray with two CPUs, started once and ended with the run."""
    home: Path = tmp_path_factory.mktemp("ray")
    with ray_session(load_settings(home=home, num_cpus=2)) as session:
        yield session


class ByRoom(LoadScopeScheduling):  # type: ignore[misc]  # xdist comes without types
    """Shares the tests out by file (`-n 2`); all that use Ray are one share, so that it starts once."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "ray" if file.startswith(USE_RAY) else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByRoom:
    return ByRoom(config, log)
