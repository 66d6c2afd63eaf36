"""Silver to the star schema. `build` is the step; versions, dimensions and facts are its parts."""

from pipelines.gold.build import build

__all__ = ["build"]
