"""Puts together what one file holds: its days, invoices, lines and faults; knows neither text nor figures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.sample.catalogue import Catalogue
from pipelines.sample.faults import Faults, put_faults
from pipelines.sample.lines import Invoices, Lines, draw_lines
from pipelines.sample.plan import DayPlan, Delivery


@dataclass(frozen=True)
class Drawn:
    """A file as numbers; lines are in the order in which they are written."""

    days: tuple[DayPlan, ...]
    invoices: Invoices
    lines: Lines
    faults: Faults


def draw_file(catalogue: Catalogue, delivery: Delivery, passed: Sequence[float], rng: np.random.Generator) -> Drawn:
    """Draw a file.

    Args:
        catalogue: The tables.
        delivery: What the plan says of it.
        passed: Per day of the file, the share of the sample's days that lie before it.
        rng: The file's stream.

    Returns:
        Its lines and what is wrong with them.
    """
    invoices, lines = draw_lines(catalogue, delivery, passed, rng)
    faults = put_faults(catalogue, delivery, lines, rng)
    return Drawn(delivery.days, invoices, lines, faults)
