"""Asks the head's dashboard as the operator does: over HTTP, with the cluster's token."""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

ENDED = {"SUCCEEDED", "FAILED", "STOPPED"}


@dataclass(frozen=True)
class Answer:
    """An answer, of whatever status."""

    status: int
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True)
class Dashboard:
    """The dashboard of one head."""

    address: str
    token: str | None

    def ask(self, path: str, body: Any = None, method: str = "", timeout_s: float = 120) -> Answer:
        """Ask for a path; no answer at all is the status 0."""
        headers = {"Content-Type": "application/json"}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(f"http://{self.address}:8265{path}", data, headers, method=method or None)
        try:
            with urllib.request.urlopen(asked, timeout=timeout_s) as answer:
                return Answer(answer.status, answer.read().decode())
        except urllib.error.HTTPError as refused:
            return Answer(refused.code, refused.read().decode(errors="replace"))
        except OSError as error:
            return Answer(0, str(error))

    def is_up(self) -> bool:
        return self.ask("/api/gcs_healthz", timeout_s=5).status == 200

    def submit(self, entrypoint: str, job_id: str) -> None:
        """Submit a job."""
        answer = self.ask("/api/jobs/", {"entrypoint": entrypoint, "submission_id": job_id})
        assert answer.status == 200, answer

    def status(self, job_id: str) -> str:
        """Give a job's status, empty where there is none yet."""
        answer = self.ask(f"/api/jobs/{job_id}")
        return str(answer.json["status"]) if answer.status == 200 else ""

    def logs(self, job_id: str) -> str:
        """Give what a job has written."""
        return str(self.ask(f"/api/jobs/{job_id}/logs").json["logs"])


def node_addresses(dashboard: Dashboard) -> dict[str, str]:
    """Give the address of every node that Ray knows, also of those that are gone."""
    nodes = dashboard.ask("/api/v0/nodes?limit=1000").json["data"]["result"]["result"]
    return {node["node_id"]: node["node_ip"] for node in nodes}
