"""`retail ingest` and `retail run`: one run of some steps, its progress and its closing table."""

from collections.abc import Sequence
from difflib import get_close_matches

from cluster.errors import ConfigurationError, PlatformError
from cluster.settings import Settings
from pipelines.refresh import STEPS, Step
from ray_apps.console import ProgressReport, show_json
from ray_apps.reports import exit_code, run_as_dict, show_broken, show_run
from ray_apps.session import Order, Run, absolute_inputs, open_session, run_steps


def chosen_steps(step: str | None, inputs: Sequence[str]) -> list[Step]:
    """Give the steps that a person chose.

    Args:
        step: Name of one; None for all.
        inputs: Files to ingest.

    Returns:
        The steps in order.

    Raises:
        ConfigurationError: An unknown step, files for a step that reads none, or bronze without files.
    """
    if step is None:
        return list(STEPS)
    chosen = [known for known in STEPS if known == step]
    if not chosen:
        near = get_close_matches(step, STEPS, n=1)
        hint = f"Did you mean {near[0]}? " if near else ""
        raise ConfigurationError(f"Unknown step {step!r}", where="--step", remedy=f"{hint}Use {', '.join(STEPS)}.")
    if (step == "bronze") != bool(inputs):
        what = "The step bronze needs files" if step == "bronze" else f"The step {step} reads no files"
        raise ConfigurationError(what, where="--step", remedy="Name files with bronze or with all steps only.")
    return chosen


def write(settings: Settings, command: str, inputs: Sequence[str], steps: Sequence[Step], as_json: bool) -> int:
    """Run steps and show what they did.

    Args:
        settings: Of this process.
        command: Name on record.
        inputs: As a person named them.
        steps: Which steps.
        as_json: Whether to print JSON instead of tables.

    Returns:
        Exit code: 1 when an input was refused.
    """
    run = Run()
    try:
        with open_session(settings) as session, ProgressReport() as report:
            run_steps(session, Order(command, absolute_inputs(inputs), steps), report, run)
    except PlatformError as error:
        return show_broken(run, error, as_json)
    if as_json:
        show_json(run_as_dict(run))
    else:
        show_run(run)
    return exit_code(run)
