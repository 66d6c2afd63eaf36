"""What every step is given and what it hands back; knows no particular step."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from cluster.errors import FatalError
from cluster.lakehouse import LakeWriter, RowCounts, TableVersion
from cluster.settings import Settings

Report = Callable[[str, int, int], None]
"""Called with (what is being done, tasks done, tasks in all)."""
Say = Callable[[str], None]
"""Called with a sentence that people want while the step runs."""


@dataclass(frozen=True)
class Money:
    """Control totals of a step, over the lines whose price and quantity parse."""

    read: Decimal = Decimal(0)
    accepted: Decimal = Decimal(0)
    rejected: Decimal = Decimal(0)
    merged: Decimal = Decimal(0)


@dataclass(frozen=True)
class StepContext:
    """What a step may use: settings, the lake it may commit to, and ways to say how far it is."""

    settings: Settings
    lake: LakeWriter
    report: Report = lambda what, done, total: None
    say: Say = lambda sentence: None


@dataclass(frozen=True)
class StepResult:
    """What a step did.

    Attributes:
        step: bronze, silver, gold, customer_monthly, basket_pairs or publish.
        output: The main table's version; None when there is none yet.
        counts: Lines.
        money: Control totals.
        seconds: Wall time.
        changed: Whether anything was committed.
        messages: What the reader should know: files skipped, merged lines, assumptions.
        refusals: Files that were refused, each with its remedy; the run ends with exit code 1.
        nodes: Node id → tasks that ran there, per kind of task.
    """

    step: str
    output: TableVersion | None
    counts: RowCounts = field(default_factory=RowCounts)
    money: Money = field(default_factory=Money)
    seconds: float = 0.0
    changed: bool = True
    messages: tuple[str, ...] = ()
    refusals: tuple[dict[str, str], ...] = ()
    nodes: dict[str, dict[str, int]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Give the result for JSON; money as decimal strings."""
        return {
            "step": self.step,
            "table": self.output.table if self.output else None,
            "version": self.output.version if self.output else None,
            "rows": vars(self.counts),
            "money": {name: str(value) for name, value in vars(self.money).items()},
            "seconds": round(self.seconds, 3),
            "changed": self.changed,
            "messages": list(self.messages),
            "refusals": list(self.refusals),
            "nodes": self.nodes,
        }


def assert_reconciled(step: str, counts: RowCounts, money: Money) -> None:
    """Make sure that no line and no penny is lost.

    Args:
        step: The step's name, for the error.
        counts: Lines.
        money: Control totals.

    Raises:
        FatalError: read ≠ accepted + rejected + merged, in lines or in money.
    """
    if counts.read != counts.accepted + counts.rejected + counts.merged:
        raise FatalError(f"{step}: lines do not add up", why=str(counts), remedy="Nothing was committed; report this.")
    if money.read != money.accepted + money.rejected + money.merged:
        raise FatalError(f"{step}: money does not add up", why=str(money), remedy="Nothing was committed; report this.")
