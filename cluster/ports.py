"""Free ports and ports that answer; knows no server."""

import socket

from cluster.errors import ConfigurationError


def free_port(preferred: int = 0, host: str = "127.0.0.1") -> int:
    """Give `preferred` when nothing listens on it, else a free port.

    Args:
        preferred: The port wanted; 0 for any.
        host: Address to listen on.

    Returns:
        A port that was free a moment ago.

    Raises:
        ConfigurationError: None is free.
    """
    for port in (preferred, 0):
        with socket.socket() as probe:
            # As servers bind: connections that a server closed a minute ago do not keep its port from its successor.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ConfigurationError("No port is free", where=host)


def answers(host: str, port: int, timeout_s: float = 2.0) -> bool:
    """Whether something listens there.

    Args:
        host: Name or address.
        port: Its port.
        timeout_s: Seconds to wait for it.

    Returns:
        True when a connection was accepted.
    """
    try:
        with socket.create_connection((host, port), timeout=timeout_s):
            return True
    except OSError:
        return False
