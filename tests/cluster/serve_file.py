"""Inside a private namespace: a warehouse, `serve run` with the file of the cluster, and what it answers, as JSON."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from cluster.settings import load_settings
from cluster.warehouse import migrate, running_warehouse

FILE = "kuberay/serve/serve.yaml"
WITHIN_S = 240.0


def ask(path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=10)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def main(home: Path) -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    settings = load_settings(home=home)
    with running_warehouse(settings) as url, (home / "serve.log").open("wb") as log:
        migrate(url)
        serve = subprocess.Popen(
            [Path(sys.executable).with_name("serve"), "run", FILE],
            env=os.environ | {"RETAIL_WAREHOUSE_URL": url, "RAY_AUTH_MODE": "disabled", "RAY_TMPDIR": "/tmp"},
            stdout=log, stderr=log,
        )  # fmt: skip
        deadline = time.monotonic() + WITHIN_S
        while ask("/health/ready") != 200 and serve.poll() is None and time.monotonic() < deadline:
            time.sleep(0.2)
        statuses = {path: ask(path) for path in ("/health/ready", "/docs", "/api/v1/sales?limt=1")}
        serve.send_signal(signal.SIGINT)
        serve.wait(60)
    print(json.dumps({"statuses": statuses, "log": (home / "serve.log").read_text()[-3000:]}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
