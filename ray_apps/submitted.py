"""What a submitted job must not be given: paths inside the folder that Ray throws away after it; knows no step."""

import os
from collections.abc import Sequence
from pathlib import Path

from cluster.errors import ConfigurationError
from cluster.ray_session import refuse_runtime_home
from cluster.settings import Settings
from cluster.storage import is_local


def refuse_what_is_thrown_away(settings: Settings, inputs: Sequence[str]) -> None:
    """Refuse a home, a lake or an input that the job's own folder would hold.

    Args:
        settings: Of the job; a relative home or lake was made absolute from the job's own folder.
        inputs: As named.

    Raises:
        ConfigurationError: One lies inside Ray's runtime folder, or an input is relative.
    """
    refuse_runtime_home(settings.home)
    if is_local(settings.lake):
        refuse_runtime_home(Path(settings.lake))
    for name in inputs:
        if is_local(name) and not os.path.isabs(name.removeprefix("file://")):  # noqa: PTH117 - a glob is no path
            raise ConfigurationError(
                "An input of a submitted job is relative", where=name,
                why="the job runs in a folder of Ray's own", remedy="Name it absolutely, or by URL.",
            )  # fmt: skip
