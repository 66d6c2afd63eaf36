"""The gateway on Ray Serve: what the command line, `serve run` and manifests start; knows no route.

`build` is for a laptop, where pipelines run on the same few CPUs; `gateway` is the import path that a Serve
configuration names, which says what a replica takes. Nothing happens at import. The settings are read where the
application is built; replicas get plain values and never read the environment.
"""

import difflib
import http.client
import json
import logging
import socket
import time

from fastapi import FastAPI
from ray import serve
from ray.serve import Application

from cluster.errors import ConfigurationError, RetryableError
from cluster.settings import Settings, load_settings
from cluster.warehouse import warehouse_url
from serve.gateway import GatewayConfig, create_app

APPLICATION_NAME = "retail"
LAPTOP_CPUS = 0.25
READY_WITHIN_S = 120.0
"""A Serve start under load takes several times its idle time."""
POLL_S = 0.2


@serve.deployment(max_ongoing_requests=100)
@serve.ingress()
class Gateway:
    """One replica: the HTTP application of `serve.gateway`, made in the replica itself."""

    def __init__(self, config: GatewayConfig) -> None:
        """Keep what the application needs."""
        self.config = config

    def __serve_build_asgi_app__(self) -> FastAPI:
        """Make the application; Serve asks for it once, after the constructor."""
        return create_app(self.config)


def gateway(args: dict[str, str]) -> Application:
    """Bind the gateway alone, as `serve run kuberay/serve/serve.yaml` and a RayService do.

    Args:
        args: Settings by their name, for instance `home`; the others come from the environment.

    Returns:
        The bound application; how many replicas and what each takes is the configuration's.

    Raises:
        ConfigurationError: A name is no setting, a value is wrong, or no warehouse runs.
    """
    return Gateway.bind(_config(_settings(args)))  # type: ignore[attr-defined]  # the decorator makes it a deployment


def build(args: dict[str, str]) -> Application:
    """Bind all for `serve run serve.app:build [setting=value …]` on a laptop.

    Args:
        args: Settings by their name, for instance `home`; the others come from the environment.

    Returns:
        The bound application.

    Raises:
        ConfigurationError: A name is no setting, a value is wrong, or no warehouse runs.
    """
    return bind(_settings(args))


def _settings(args: dict[str, str]) -> Settings:
    for name in args:
        if name not in Settings.model_fields:
            near = difflib.get_close_matches(name, Settings.model_fields, n=1)
            remedy = f"Did you mean '{near[0]}'?" if near else "`retail config show` lists the settings."
            raise ConfigurationError(f"Unknown setting '{name}'", where="serve.app:build", remedy=remedy)
    return load_settings(**args)


def bind(settings: Settings) -> Application:
    """Bind the application for a laptop with settings that are already read.

    Args:
        settings: Warehouse, currency and time zone.

    Returns:
        The bound application.
    """
    small = Gateway.options(ray_actor_options={"num_cpus": LAPTOP_CPUS})  # type: ignore[attr-defined]
    return small.bind(_config(settings))


def _config(settings: Settings) -> GatewayConfig:
    return GatewayConfig(warehouse_url(settings), currency=settings.currency, time_zone=settings.time_zone)


def start(settings: Settings) -> None:
    """Serve the API from the Ray that this process is connected to, and return once it answers.

    Args:
        settings: Address, port, warehouse.

    Raises:
        ConfigurationError: The port is taken, or no warehouse runs.
        RetryableError: It did not get ready in time.
    """
    application = bind(settings)
    refuse_taken_port(settings.http_host, settings.http_port)
    logging.getLogger("ray.serve").setLevel(logging.WARNING)
    serve.start(http_options={"host": settings.http_host, "port": settings.http_port})
    serve.run(application, name=APPLICATION_NAME, route_prefix="/")
    wait_until_ready(settings.http_host, settings.http_port)


def stop() -> None:
    """End Serve; the Ray below it stays."""
    serve.shutdown()


def refuse_taken_port(host: str, port: int) -> None:
    """Make sure that the API can listen.

    Raises:
        ConfigurationError: Another program listens there, or the address is not this machine's.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        # As the server does: a port whose last connections are still closing is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen()
        except OSError as error:
            raise ConfigurationError(
                "The API cannot listen",
                where=f"{host}:{port}",
                why=error.strerror or str(error),
                remedy="Stop the program that holds the port, or set RETAIL_HTTP_PORT (RETAIL_HTTP_HOST) to another.",
            ) from error


def wait_until_ready(host: str, port: int, within_s: float = READY_WITHIN_S) -> None:
    """Wait for /health/ready to answer 200.

    Args:
        host: Address that the API listens on.
        port: Its port.
        within_s: Most seconds to wait.

    Raises:
        RetryableError: It did not in that time.
    """
    reach = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    deadline = time.monotonic() + within_s
    while True:
        status, why = _ask_ready(reach, port)
        if status == 200:
            return
        if time.monotonic() > deadline:
            raise RetryableError(
                "The API did not get ready",
                where=f"http://{reach}:{port}/health/ready",
                why=why,
                remedy="See /health/dependencies and Serve's log, then start it again.",
            )
        time.sleep(POLL_S)


def _ask_ready(host: str, port: int) -> tuple[int, str]:
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/health/ready")
        answer = connection.getresponse()
        body = answer.read()
        return answer.status, str(json.loads(body).get("detail", "")) if answer.status != 200 else ""
    except (OSError, http.client.HTTPException, ValueError) as error:
        return 0, str(error)
    finally:
        connection.close()
