"""Which facts a table is made from: the version of gold.fact_sales and the dimensions that it names."""

from dataclasses import dataclass
from typing import Any

from cluster.lakehouse import Lakehouse
from warehouse_sql.tables.gold import FACT_SALES


@dataclass(frozen=True)
class FactsRead:
    """A version of the facts.

    Attributes:
        version: Of gold.fact_sales.
        run_id: The run that made it.
        siblings: Dimension → version that belongs to it.
    """

    version: int
    run_id: str
    siblings: dict[str, int]

    @property
    def seen(self) -> dict[str, Any]:
        """Give what the notes of a table made from these facts say of them."""
        return {"version": self.version, "run_id": self.run_id}


def facts_read(lake: Lakehouse) -> FactsRead | None:
    """Give the newest facts; None when there are none yet."""
    latest = lake.latest(FACT_SALES)
    return FactsRead(latest[0], latest[1]["run_id"], latest[1]["siblings"]) if latest else None
