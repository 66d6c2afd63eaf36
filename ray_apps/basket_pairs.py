"""Products bought together, made anew and published: `ray job submit -- python -m ray_apps.basket_pairs`."""

from typing import Annotated

import typer

from cluster.settings import load_settings, ray_address
from ray_apps.cli import Join, Json
from ray_apps.edge import guarded
from ray_apps.submitted import refuse_what_is_thrown_away

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def basket_pairs(
    join: Join = None,
    max_products: Annotated[int | None, typer.Option(help="Products up to which an invoice is a basket.")] = None,
    min_support: Annotated[str | None, typer.Option(help="Share of the baskets from which a pair is kept.")] = None,
    json: Json = False,
) -> None:
    """Find the pairs in the newest facts and publish them; without a new fact or another setting nothing changes.

    A support or a size that should last belongs into RETAIL_BASKET_MIN_SUPPORT and RETAIL_BASKET_MAX_PRODUCTS: the next
    run without them goes by those again.
    """
    from ray_apps.writing import write

    settings = load_settings(join=join, basket_max_products=max_products, basket_min_support=min_support)
    if ray_address():
        refuse_what_is_thrown_away(settings, [])
    raise typer.Exit(write(settings, "basket_pairs", [], ["basket_pairs", "publish"], json))


if __name__ == "__main__":
    guarded(app)
