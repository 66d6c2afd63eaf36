"""Brings a warehouse up to date before anything else starts: `python -m ray_apps.migrate`; needs no Ray and no lake.

Commands that write do the same at their start. On a cluster it is a Job of its own, so that an upgrade changes the
warehouse once, at a moment that one chooses.
"""

import typer

from cluster.settings import load_settings
from cluster.warehouse import migrate, running_warehouse
from pipelines.marts.deploy import deploy_marts
from ray_apps.cli import Json
from ray_apps.console import say, show_json, stdout_is_ours
from ray_apps.edge import guarded

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def bring_up_to_date(json: Json = False) -> None:
    """Run the migrations of the warehouse and deploy the marts that changed; the second time there is nothing to do."""
    settings = load_settings()
    with stdout_is_ours(), running_warehouse(settings) as url:
        migrate(url)
        marts = deploy_marts(settings, url, say)
    if json:
        show_json({"built": marts.built, "removed": marts.removed, "seconds": round(marts.seconds, 1)})
    elif marts.built or marts.removed:
        say(f"Tables migrated. Marts renewed: {', '.join(marts.built)}; removed: {', '.join(marts.removed) or 'none'}.")
    else:
        say("Tables migrated. The marts were up to date.")


if __name__ == "__main__":
    guarded(app)
