"""Both overlays as kubectl renders them, once per run."""

import os

import pytest

from cluster.errors import ConfigurationError
from cluster.manifests.objects import Manifest
from cluster.manifests.render import overlays, render

Rendered = dict[str, list[Manifest]]


@pytest.fixture(scope="session")
def rendered() -> Rendered:
    """The objects of each overlay; a laptop without kubectl skips what needs them, CI fails."""
    try:
        return {name: render(name) for name in overlays()}
    except ConfigurationError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
