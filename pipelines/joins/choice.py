"""Which engine runs a join: what a person set, else by measured size; pure, and knows no engine."""

from dataclasses import dataclass
from typing import Literal

from cluster.errors import ConfigurationError
from cluster.settings import Settings

Engine = Literal["spark", "local"]


@dataclass(frozen=True)
class Size:
    """How large a join is: a count from the Delta log or of pairs, and what is counted."""

    count: int
    unit: str

    def __str__(self) -> str:
        """Give it for people."""
        return f"{self.count:,} {self.unit}"


@dataclass(frozen=True)
class Choice:
    """The engine, and why, for people."""

    engine: Engine
    reason: str


def choose(settings: Settings, size: Size, missing_jars: str | None) -> Choice:
    """Choose the engine of a join.

    Args:
        settings: `join` and `spark_from_rows`.
        size: Of the join.
        missing_jars: Why Spark cannot read this lake; None when it can.

    Returns:
        The engine and the reason.

    Raises:
        ConfigurationError: Spark is set, and cannot read this lake.
    """
    if settings.join == "local":
        return Choice("local", f"local, as set; {size}")
    if settings.join == "spark":
        if missing_jars:
            raise ConfigurationError(
                "Spark cannot read this lake", where=settings.lake, why=missing_jars,
                remedy="Add the jars to Spark's folder, or use --join auto or local.",
            )  # fmt: skip
        return Choice("spark", f"spark, as set; {size}")
    limit = f"{settings.spark_from_rows:,} (RETAIL_SPARK_FROM_ROWS)"
    if size.count < settings.spark_from_rows:
        return Choice("local", f"local; {size} are below {limit}")
    if missing_jars:
        return Choice("local", f"local, though {size} reach {limit}: {missing_jars}")
    return Choice("spark", f"spark; {size} reach {limit}")
