"""The sample generator: sales as a shop would deliver them, and beside them the figures that a correct run must reach.

It imports neither rules nor silver, so that its oracle is its own.
"""

from pipelines.sample.generate import SampleReport, generate_sample, run_here

__all__ = ["SampleReport", "generate_sample", "run_here"]
