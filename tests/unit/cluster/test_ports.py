"""Which port is free: one on which nothing listens."""

import socket

from cluster.ports import answers, free_port


def listener() -> socket.socket:
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", 0))
    server.listen()
    return server


def test_a_port_on_which_something_listens_is_not_free() -> None:
    with listener() as server:
        port = server.getsockname()[1]
        assert answers("127.0.0.1", port)
        assert free_port(port) != port


def test_a_port_whose_server_just_closed_a_connection_is_free() -> None:
    with listener() as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            server.accept()[0].close()
            assert client.recv(1) == b""
    assert free_port(port) == port
