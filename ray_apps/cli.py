"""The command `retail`: verbs, options, exit codes; what a verb does stands in the module that it imports."""

from pathlib import Path
from typing import Annotated

import typer

from cluster.settings import JoinEngine, Settings, load_settings
from ray_apps.clusters import cluster_app
from ray_apps.edge import guarded

app = typer.Typer(
    help="Raw sales files to a lakehouse, a warehouse and an API.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
config_app = typer.Typer(help="The settings of this process.", no_args_is_help=True)
app.add_typer(config_app, name="config")
app.add_typer(cluster_app, name="cluster")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Paths = Annotated[list[str], typer.Argument(metavar="PATH...", help="Files, folders, globs or URLs.")]
StepName = Annotated[
    str | None,
    typer.Option(help="One step only: bronze, silver, gold, customer_monthly, basket_pairs or publish."),
]
Join = Annotated[JoinEngine | None, typer.Option(help="Engine of the large joins; auto chooses by size.")]


@app.command()
def ingest(paths: Paths, json: Json = False) -> None:
    """Take files into bronze, every cell as it arrived."""
    from ray_apps.writing import write

    _exit(write(_settings(), "ingest", paths, ["bronze"], json))


@app.command()
def run(
    paths: Annotated[list[str] | None, typer.Argument(metavar="[PATH...]", help="Files to ingest first.")] = None,
    step: StepName = None,
    join: Join = None,
    json: Json = False,
) -> None:
    """Run all steps, or one: bronze → silver → gold → customer_monthly, basket_pairs → publish."""
    from ray_apps.writing import chosen_steps, write

    _exit(write(load_settings(join=join), "run", paths or [], chosen_steps(step, paths or []), json))


@app.command()
def serve(json: Json = False) -> None:
    """Serve the API, the page and the docs until Ctrl-C."""
    from ray_apps.serving import serve_until_stopped

    serve_until_stopped(_settings(), json)


@app.command()
def demo(
    input: Annotated[list[str] | None, typer.Option("--input", help="Your own files instead of a sample.")] = None,
    lines: Annotated[int, typer.Option(min=1_000, help="Lines of the sample.")] = 100_000,
) -> None:
    """Sample (or your files) → lake → warehouse → API, and what to try next."""
    from ray_apps.demo import run_demo

    _exit(run_demo(_settings(), input or [], lines))


@app.command()
def status(json: Json = False) -> None:
    """Show versions, rows and money of each layer, what runs, and the last runs."""
    from ray_apps.status import show_status

    show_status(_settings(), json)


@app.command()
def rejects(
    export: Annotated[Path | None, typer.Option(help="Write the lines into this CSV file.")] = None, json: Json = False
) -> None:
    """Show rejected and merged lines and dead letters by reason, with their money."""
    from ray_apps.rejects import show_rejects

    show_rejects(_settings(), export, json)


@app.command()
def history(
    table: Annotated[str, typer.Argument(help="For instance gold.fact_sales.")],
    limit: Annotated[int, typer.Option(min=1, help="Commits to show.")] = 20,
    json: Json = False,
) -> None:
    """Show the versions of a table."""
    from ray_apps.looking import show_history

    show_history(_settings(), table, limit, json)


@app.command()
def sample(
    lines: Annotated[int, typer.Option(min=1_000, help="Lines in all files.")] = 100_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same bytes.")] = 1,
    out: Annotated[Path, typer.Option(help="Folder for data/ and expected.json.")] = Path("sample"),
    json: Json = False,
) -> None:
    """Make realistic sales files, and the figures that a correct run must reach."""
    from ray_apps.sampling import make_sample

    make_sample(_settings(), lines, seed, out, json)


@app.command()
def doctor(json: Json = False) -> None:
    """Check Python, Ray, ports, memory, disk and user namespaces, each with its remedy."""
    from ray_apps.doctor import examine

    _exit(examine(_settings(), json))


@config_app.command("show")
def config_show(json: Json = False) -> None:
    """Show every setting, secrets masked."""
    from ray_apps.looking import show_settings

    show_settings(_settings(), json)


def main() -> None:
    """Run the command line; errors of the platform end it with what, where, why and the remedy."""
    guarded(app)


def _settings() -> Settings:
    return load_settings()


def _exit(code: int) -> None:
    raise typer.Exit(code)


if __name__ == "__main__":
    main()
