"""Load on a RayService, through what its serve service selects: the workers whose proxy says that it is ready.

A kubelet probes `/-/healthz` of each pod: a proxy that drains says no and leaves the endpoints. Every answer counts.
"""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.kube.pods import Pod

PORT = 8000
PROBE_S = 0.5


def ask(address: str, path: str, timeout_s: float = 60) -> tuple[int, bytes]:
    """Ask a proxy; 0 and the error where nothing answers."""
    connection = http.client.HTTPConnection(address, PORT, timeout=timeout_s)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException) as error:
        return 0, repr(error).encode()
    finally:
        connection.close()


@dataclass
class Load:
    """Clients that each send one request after the other."""

    pods: Callable[[], Sequence[Pod]]
    paths: Sequence[str]
    clients: int = 1
    pause_s: float = 0.5
    endpoints: list[str] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)
    by_pod: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    sent: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _end: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self, most_clients: int) -> Iterator["Load"]:
        """Send for the length of a block; `clients` of them at a time, which may be changed."""
        threads = [threading.Thread(target=self._probe)]
        threads += [threading.Thread(target=self._send, args=(number,)) for number in range(most_clients)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._end.set()
            for thread in threads:
                thread.join()

    def _probe(self) -> None:
        while not self._end.wait(PROBE_S):
            self.endpoints = [pod.address for pod in self.pods() if ask(pod.address, "/-/healthz", 5)[0] == 200]

    def _send(self, number: int) -> None:
        turn = number
        while not self._end.is_set():
            endpoints = self.endpoints
            if number >= self.clients or not endpoints:
                self._end.wait(0.5)
                continue
            turn += 1
            self._send_one(endpoints[turn % len(endpoints)], self.paths[turn % len(self.paths)])
            self._end.wait(self.pause_s)

    def _send_one(self, address: str, path: str) -> None:
        with self._lock:
            self.sent += 1
        began = time.monotonic()
        status, body = ask(address, path)
        is_right = status == 200 and bool(json.loads(body))
        with self._lock:
            self.answers[status] += 1
            self.by_pod[address] += 1
            if not is_right:
                self.failures.append(f"{address}{path} {time.monotonic() - began:.1f} s: {status} {body[:200]!r}")
