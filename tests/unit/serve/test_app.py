import json
import pickle
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from cluster.errors import ConfigurationError, RetryableError
from serve.app import build, refuse_taken_port, wait_until_ready
from serve.gateway import GatewayConfig

LOOPBACK = "127.0.0.1"


@contextmanager
def _answering(*statuses: int) -> Iterator[int]:
    """A server that gives these statuses in turn, the last one for ever; yields its port."""
    left = list(statuses)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/health/ready"
            status = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps({"detail": "warehouse: no answer"}).encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer((LOOPBACK, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def test_a_taken_port_is_named_with_the_remedy() -> None:
    with socket.socket() as holder:
        holder.bind((LOOPBACK, 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(ConfigurationError) as caught:
            refuse_taken_port(LOOPBACK, port)
    assert caught.value.where == f"{LOOPBACK}:{port}"
    assert "RETAIL_HTTP_PORT" in caught.value.remedy
    refuse_taken_port(LOOPBACK, port)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        refuse_taken_port("192.0.2.1", 8000)


@pytest.mark.parametrize("host", [LOOPBACK, "0.0.0.0"])
def test_waiting_ends_when_it_is_ready(host: str) -> None:
    with _answering(503, 503, 200) as port:
        wait_until_ready(host, port, within_s=60)


def test_waiting_ends_with_the_reason() -> None:
    with _answering(503) as port, pytest.raises(RetryableError) as caught:
        wait_until_ready(LOOPBACK, port, within_s=0)
    assert caught.value.why == "warehouse: no answer"


def test_waiting_for_nobody_ends_too() -> None:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port = probe.getsockname()[1]
    with pytest.raises(RetryableError):
        wait_until_ready(LOOPBACK, port, within_s=0)


def test_an_unknown_setting_is_refused_with_a_suggestion() -> None:
    with pytest.raises(ConfigurationError, match="time_zone"):
        build({"timezone": "Europe/Paris"})


def test_without_a_warehouse_the_builder_ends_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        build({"home": str(tmp_path)})
    assert caught.value.remedy


def test_the_config_travels_and_keeps_the_password_out_of_sight() -> None:
    config = GatewayConfig("postgresql://reader:secret@db/retail", currency="EUR", time_zone="Europe/Paris")
    assert pickle.loads(pickle.dumps(config)) == config
    assert "secret" not in repr(config)
