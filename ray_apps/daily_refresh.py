"""The daily job: the same steps as `retail run`, for `ray job submit -- python -m ray_apps.daily_refresh`."""

from typing import Annotated

import typer

from cluster.settings import Settings, load_settings, ray_address
from ray_apps.cli import Join, Json, StepName
from ray_apps.edge import guarded
from ray_apps.submitted import refuse_what_is_thrown_away

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def daily_refresh(
    input: Annotated[list[str] | None, typer.Option("--input", help="File, folder, glob or URL, absolute.")] = None,
    step: StepName = None,
    join: Join = None,
    json: Json = False,
) -> None:
    """Bring every layer up to the files given, or those of RETAIL_INBOX.

    All paths are absolute, since the job's own folder is thrown away.
    """
    from ray_apps.writing import chosen_steps, write

    settings = load_settings(join=join)
    inputs = input or inbox_for(settings, step)
    if ray_address():
        refuse_what_is_thrown_away(settings, inputs)
    raise typer.Exit(write(settings, "daily_refresh", inputs, chosen_steps(step, inputs), json))


def inbox_for(settings: Settings, step: str | None) -> list[str]:
    """Give the inbox as input where it is set and the steps chosen read files: all steps, or bronze."""
    return [settings.inbox] if settings.inbox and step in {None, "bronze"} else []


if __name__ == "__main__":
    guarded(app)
