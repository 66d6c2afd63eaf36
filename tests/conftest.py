"""What all suites share: one local Ray for a whole run."""

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
