"""What all suites share: one local Ray for a whole run, in the one process that runs all tests of Ray."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.ray_session import RaySession, ray_session
from cluster.settings import load_settings

pytest.register_assert_rewrite("tests.contract.warehouse.suite")


@pytest.fixture(scope="session")
def ray_local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RaySession]:
    """A local Ray with two CPUs, started once and ended with the run."""
    home: Path = tmp_path_factory.mktemp("ray")
    with ray_session(load_settings(home=home, num_cpus=2)) as session:
        yield session


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Share the files out (`-n 2 --dist loadgroup`): those that use Ray are one group, so that it starts once."""
    of_ray = {item.path for item in items if "flow" in item.path.parts or "ray_local" in _fixtures(item)}
    for item in items:
        item.add_marker(pytest.mark.xdist_group("ray" if item.path in of_ray else str(item.path)))


def _fixtures(item: pytest.Item) -> list[str]:
    return item.fixturenames if isinstance(item, pytest.Function) else []
