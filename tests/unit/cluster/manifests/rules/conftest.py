"""The rendered overlays, once, for the tests of the rules."""

import os
from collections.abc import Mapping

import pytest

from cluster.errors import ConfigurationError
from cluster.manifests import crds
from cluster.manifests.crds import Crds
from cluster.manifests.objects import Overlay
from cluster.manifests.validate import load_overlay


@pytest.fixture(scope="session")
def overlays() -> Mapping[str, Overlay]:
    try:
        return {name: load_overlay(name, test_images=True) for name in ("dev", "prod")}
    except ConfigurationError as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def schemas() -> Crds:
    try:
        return crds.load()
    except ConfigurationError as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))
