"""The chain of steps, once: bronze → silver → gold → customer_monthly, basket_pairs → publish.

It knows no command line and not how Ray was started.
"""

from collections.abc import Callable, Sequence
from typing import Literal, get_args

from pipelines import bronze, gold, silver
from pipelines.joins import basket_pairs, customer_monthly
from pipelines.joins.engines import Engines
from pipelines.publish import publish
from pipelines.scratch import remove_dead_scratch
from pipelines.steps import StepContext, StepResult

Step = Literal["bronze", "silver", "gold", "customer_monthly", "basket_pairs", "publish"]
STEPS: tuple[Step, ...] = get_args(Step)


def refresh(
    context: StepContext,
    url: str,
    inputs: Sequence[str],
    steps: Sequence[Step] = STEPS,
    on_result: Callable[[StepResult], None] = lambda result: None,
) -> list[StepResult]:
    """Run steps in order, each from the newest version of what it reads.

    Args:
        context: Settings, lake and report; it holds the lease of the lake.
        url: The warehouse.
        inputs: Files, folders, globs or URLs for bronze; without any bronze is left out. Where all of them were
            refused and gold has no version yet, publish is left out.
        steps: Which steps.
        on_result: Told of each step as it ends.

    Returns:
        One result per step that ran.

    Raises:
        PlatformError: A step failed; it and those behind it leave their old versions.
    """
    storage, run_id = context.lake.storage, context.lake.run_id
    remove_dead_scratch(storage, run_id)
    results: list[StepResult] = []
    carried = None
    try:
        with Engines(context) as engines:
            for step in steps:
                match step:
                    case "bronze":
                        if not inputs:
                            continue
                        result, carried = bronze.ingest(context, inputs, carry="silver" in steps)
                    case "silver":
                        result = silver.refine(context, carried)
                    case "gold":
                        result = gold.build(context, engines)
                    case "customer_monthly":
                        result = customer_monthly.build(context, engines)
                    case "basket_pairs":
                        result = basket_pairs.build(context, engines)
                    case "publish":
                        if results and results[-1].output is None:
                            continue
                        result = publish(context, url)
                results.append(result)
                on_result(result)
    finally:
        storage.remove_tree(storage.scratch_uri(run_id))
    return results
