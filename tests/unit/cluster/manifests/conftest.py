"""The rendered overlays and KubeRay's schemas, once; a laptop that lacks them skips and says why, CI fails."""

import copy
import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import pytest

from cluster.errors import ConfigurationError
from cluster.manifests import crds
from cluster.manifests.crds import Crds
from cluster.manifests.objects import Manifest, Overlay
from cluster.manifests.validate import load_overlay
from tests.unit.cluster.manifests.rules.changes import put, steps

T = TypeVar("T")
Edit = Callable[..., dict[str, Any]]


def or_skip(make: Callable[[], T]) -> T:
    """Give what a tool or a file outside the project makes."""
    try:
        return make()
    except ConfigurationError as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def overlays() -> Mapping[str, Overlay]:
    return or_skip(lambda: {name: load_overlay(name, test_images=True) for name in ("dev", "prod")})


@pytest.fixture(scope="session")
def schemas() -> Crds:
    return or_skip(crds.load)


@pytest.fixture(scope="session")
def dev(overlays: Mapping[str, Overlay]) -> Overlay:
    return overlays["dev"]


def named(overlay: Overlay, name: str) -> Manifest:
    """Give the object of this kind and name."""
    return next(manifest for manifest in overlay.objects if str(manifest) == name)


@pytest.fixture(scope="session")
def edited(dev: Overlay) -> Edit:
    """Copy an object of the overlay dev with a field set, or removed with `ABSENT`."""

    def edit(name: str, path: str = "", value: object = None) -> dict[str, Any]:
        body: dict[str, Any] = copy.deepcopy(dict(named(dev, name).body))
        return put(body, steps(path), value) if path else body

    return edit
