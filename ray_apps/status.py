"""`retail status`: what each layer holds, what is published, what runs, and the last runs; changes nothing."""

import http.client
from datetime import datetime
from decimal import Decimal
from typing import Any

from cluster.embedded_postgres import EmbeddedPostgres
from cluster.errors import PlatformError
from cluster.lakehouse import Lakehouse
from cluster.ports import answers
from cluster.settings import Settings, ray_address
from cluster.storage import Storage
from cluster.warehouse import connect, masked, running_warehouse
from pipelines.published import warehouse_state
from pipelines.runs import last_runs
from ray_apps.console import show_json, show_problem, show_table
from ray_apps.serving import base_url
from ray_apps.signals import started
from warehouse_sql.tables.bronze import FILES, SALES_LINES
from warehouse_sql.tables.gold import BASKET_PAIRS, CUSTOMER_MONTHLY, FACT_SALES
from warehouse_sql.tables.silver import TRANSACTIONS

LAYERS = (
    ("bronze", FILES, SALES_LINES),
    ("silver", TRANSACTIONS, TRANSACTIONS),
    ("gold", FACT_SALES, FACT_SALES),
    ("gold", CUSTOMER_MONTHLY, CUSTOMER_MONTHLY),
    ("gold", BASKET_PAIRS, BASKET_PAIRS),
)
"""Layer, the table whose commits end its step, the table that holds its lines."""
RUNS = 10
HEALTH_TIMEOUT_S = 3


def show_status(settings: Settings, as_json: bool) -> None:
    """Show layers, servers and runs.

    Args:
        settings: Of this process.
        as_json: Whether to print JSON.
    """
    lake = Lakehouse(Storage.of(settings))
    layers = [_layer(lake, *layer) for layer in LAYERS]
    servers = [_warehouse(settings), _api(settings), _ray()]
    problem, runs = None, list[dict[str, Any]]()
    published = _row("warehouse", FACT_SALES, None)
    try:
        published, runs = _records(settings, published)
    except PlatformError as error:
        problem = error.as_dict()
    layers.append(published)
    if as_json:
        told = {"lake": lake.storage.root, "layers": layers, "servers": servers, "runs": runs}
        show_json(told | ({"problem": problem} if problem else {}))
        return
    columns = ("layer", "table", "version", "rows", "money", "last run")
    show_table(f"Lake {lake.storage.root}", columns, [tuple(layer.values()) for layer in layers])
    show_table("Servers", ("server", "state", "address"), [tuple(server.values()) for server in servers])
    names = ("run_id", "command", "status", "started_at", "ended_at", "error")
    rows = [tuple(_shown(run[name]) for name in names) for run in runs]
    show_table("Last runs", ("run", "command", "status", "started", "ended", "error"), rows)
    if problem:
        show_problem(problem)


def _layer(lake: Lakehouse, layer: str, main: str, lines: str) -> dict[str, Any]:
    latest = lake.latest(main)
    if latest is None:
        return _row(layer, lines, None)
    version, notes = latest
    if main != lines:
        version = notes.get("siblings", {}).get(lines)
    return _row(layer, lines, version, notes.get("rows", 0), Decimal(notes.get("amount", 0)), notes.get("run_id"))


def _row(  # noqa: PLR0913, PLR0917 - the columns of the table
    layer: str, table: str, version: int | None, rows: int = 0, money: Decimal = Decimal(0), run: str | None = None
) -> dict[str, Any]:
    return {"layer": layer, "table": table, "version": version, "rows": rows, "money": money, "run": run}


def _warehouse(settings: Settings) -> dict[str, str]:
    if settings.warehouse_url is None:
        url = EmbeddedPostgres(settings.home).running_url()
        return _server("warehouse (embedded)", bool(url), masked(url) if url else str(settings.home / "warehouse"))
    url = settings.warehouse_url.get_secret_value()
    try:
        connect(url).close()
    except PlatformError as error:
        return _server("warehouse", False, f"{masked(url)}: {error.why or error.what}")
    return _server("warehouse", True, masked(url))


def _api(settings: Settings) -> dict[str, str]:
    """Ask for its health: another program may listen on the port."""
    base = base_url(settings)
    connection = http.client.HTTPConnection(base.removeprefix("http://"), timeout=HEALTH_TIMEOUT_S)
    try:
        connection.request("GET", "/health/live")
        is_up = connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        is_up = False
    finally:
        connection.close()
    return _server("API", is_up, base)


def _ray() -> dict[str, str]:
    address = ray_address()
    if address is None:
        return {"server": "Ray", "state": "starts with each command that writes or serves", "address": "local"}
    host, _, port = address.removeprefix("ray://").rpartition(":")
    is_port = port.isdigit()
    return _server("Ray", is_port and answers(host, int(port)), address)


def _server(name: str, is_up: bool, address: str) -> dict[str, str]:
    return {"server": name, "state": "running" if is_up else "stopped", "address": address}


def _records(settings: Settings, layer: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Read what the warehouse holds and its record of runs; one that was never made has neither."""
    if settings.embedded_warehouse and not EmbeddedPostgres(settings.home).data.is_dir():
        return layer, []
    with started(running_warehouse(settings)) as url:
        runs = last_runs(url, RUNS)
        state = warehouse_state(url) if runs else {}
    if not state.get("data_version"):
        return layer, runs
    run = state["tables"].get(FACT_SALES, {}).get("run_id")
    return _row(layer["layer"], FACT_SALES, state["data_version"], state["line_count"], state["amount"], run), runs


def _shown(value: Any) -> Any:
    return value.isoformat(" ", "seconds") if isinstance(value, datetime) else value
