"""A Kubernetes API server in memory, for the autoscaler and the launcher: TLS, tokens, Roles, schemas, defaults.

Each object is held to its CRD and filled with its defaults; a service account may do what the rendered Roles grant it.
Knows no pod's processes.
"""

import copy
import json
import ssl
import subprocess
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cluster.manifests import crds, schema

Object = dict[str, Any]
KINDS = {
    "pods": "Pod", "configmaps": "ConfigMap", "secrets": "Secret",
    "rayclusters": "RayCluster", "rayjobs": "RayJob", "rayservices": "RayService",
}  # fmt: skip
VERBS = {"POST": "create", "PATCH": "patch", "DELETE": "delete"}


class RefusedError(Exception):
    """An answer that is no success."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.status = {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message}


class Store:
    """All objects, by kind and name; also what the operator works with."""

    def __init__(self, definitions: crds.Crds, roles: Sequence[Object]) -> None:
        """Start empty.

        Args:
            definitions: KubeRay's CRDs.
            roles: Rendered Roles and RoleBindings.
        """
        self.lock = threading.RLock()
        self.definitions = definitions
        self.objects: dict[tuple[str, str], Object] = {}
        self.version = 0
        self.grants = list(_grants(roles))
        self.asked: list[tuple[str, str, str]] = []
        """Who did what to which kind: account, verb, plural."""

    def put(self, body: Object) -> Object:
        """Create or replace; the object is filled with its defaults.

        Raises:
            RefusedError: Its schema refuses it.
        """
        kind, name = str(body["kind"]), str(body["metadata"]["name"])
        with self.lock:
            old = self.objects.get((kind, name))
            if kind.startswith("Ray"):
                body = schema.with_defaults(body, self.definitions)
                wrong = schema.violations(body, self.definitions, old)
                if wrong:
                    raise RefusedError(422, "Invalid", f"{kind} {name}: {'; '.join(str(found) for found in wrong)}")
            self.version += 1
            body = copy.deepcopy(body)
            body["metadata"]["resourceVersion"] = str(self.version)
            self.objects[kind, name] = body
            return copy.deepcopy(body)

    def get(self, kind: str, name: str) -> Object:
        """Give a copy.

        Raises:
            KeyError: There is none.
        """
        with self.lock:
            return copy.deepcopy(self.objects[kind, name])

    def all(self, kind: str, labels: Mapping[str, str] | None = None) -> list[Object]:
        """Give copies of the objects of a kind that carry these labels."""
        wanted = (labels or {}).items()
        with self.lock:
            return [
                copy.deepcopy(body)
                for (found, _), body in self.objects.items()
                if found == kind and wanted <= body["metadata"].get("labels", {}).items()
            ]

    def remove(self, kind: str, name: str) -> None:
        with self.lock:
            self.objects.pop((kind, name), None)

    def may(self, account: str, verb: str, group: str, plural: str, name: str) -> bool:
        """Whether the rendered Roles let a service account do this."""
        return any(
            granted == account
            and verb in rule["verbs"]
            and group in rule["apiGroups"]
            and plural in rule["resources"]
            and (not rule.get("resourceNames") or name in rule["resourceNames"])
            for granted, rule in self.grants
        )


def _grants(roles: Sequence[Object]) -> Iterator[tuple[str, Object]]:
    rules = {role["metadata"]["name"]: role["rules"] for role in roles if role["kind"] == "Role"}
    for binding in roles:
        if binding["kind"] == "RoleBinding":
            for subject in binding["subjects"]:
                if subject["kind"] == "ServiceAccount":
                    yield from ((str(subject["name"]), rule) for rule in rules[binding["roleRef"]["name"]])


def patched(body: Object, operations: Iterable[Mapping[str, Any]]) -> Object:
    """Apply a JSON patch as the API server does: it takes `replace` of what is absent."""
    body = copy.deepcopy(body)
    for operation in operations:
        *parents, last = [_step(step) for step in operation["path"].split("/")[1:]]
        target: Any = body
        for step in parents:
            target = target[int(step)] if isinstance(target, list) else target[step]
        value = copy.deepcopy(operation.get("value"))
        if operation["op"] == "test":
            if target[last] != value:
                raise RefusedError(422, "Invalid", f"test of {operation['path']} failed")
        elif operation["op"] == "remove":
            del target[int(last) if isinstance(target, list) else last]
        elif isinstance(target, list):
            target.append(value) if last == "-" else target.__setitem__(int(last), value)
        else:
            target[last] = value
    return body


def _step(text: str) -> str:
    return text.replace("~1", "/").replace("~0", "~")


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    store: Store
    tokens: Mapping[str, str]

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing; the store keeps who asked what."""

    def _answer(self) -> None:
        try:
            length = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(length)) if length else None
            code, told = self._act(body)
        except RefusedError as refused:
            code, told = refused.code, refused.status
        words = json.dumps(told).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(words)))
        self.end_headers()
        self.wfile.write(words)

    do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 - the names that http.server calls

    def _act(self, body: Any) -> tuple[int, Object]:
        address = urlsplit(self.path)
        parts = address.path.strip("/").split("/")
        group = "" if parts[0] == "api" else parts[1]
        plural, name = (*parts[parts.index("namespaces") + 2 :], "")[:2]
        if plural not in KINDS:
            raise RefusedError(404, "NotFound", f"no kind {plural}")
        verb = VERBS.get(self.command) or ("get" if name else "list")
        self._authorize(verb, group, plural, name)
        kind = KINDS[plural]
        if verb == "list":
            wanted = parse_qs(address.query).get("labelSelector", [""])[0]
            labels = dict(term.split("=", 1) for term in wanted.split(",") if term)
            return 200, {"kind": f"{kind}List", "metadata": self._version(), "items": self.store.all(kind, labels)}
        return self._change(verb, kind, name, body)

    def _change(self, verb: str, kind: str, name: str, body: Any) -> tuple[int, Object]:
        with self.store.lock:
            if verb == "create":
                body["metadata"].setdefault("namespace", self.path.split("/namespaces/")[1].partition("/")[0])
                if (kind, body["metadata"]["name"]) in self.store.objects:
                    raise RefusedError(409, "AlreadyExists", f"{kind} {body['metadata']['name']} exists")
                return 201, self.store.put(body)
            try:
                found = self.store.get(kind, name)
            except KeyError:
                raise RefusedError(404, "NotFound", f"{kind} {name} not found") from None
            if verb == "delete":
                self.store.remove(kind, name)
            return 200, self.store.put(patched(found, body)) if verb == "patch" else found

    def _authorize(self, verb: str, group: str, plural: str, name: str) -> None:
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        account = self.tokens.get(token) if scheme.lower() == "bearer" else None
        if account is None:
            raise RefusedError(401, "Unauthorized", "no or a wrong token")
        self.store.asked.append((account, verb, plural))
        if not self.store.may(account, verb, group, plural, name):
            raise RefusedError(403, "Forbidden", f"{account} cannot {verb} {plural} {name}")

    def _version(self) -> dict[str, str]:
        return {"resourceVersion": str(self.store.version)}


@contextmanager
def serving(store: Store, accounts: Iterable[str], namespace: str, folder: Path, address: str) -> Iterator[None]:
    """Serve on port 6443 for the length of a block.

    Args:
        store: What is served.
        accounts: Service accounts; each gets a folder as a pod finds it, with its token, the CA and the namespace.
        namespace: Kubernetes namespace.
        folder: Where those folders and the certificate lie.
        address: IP address.
    """
    certificate, key = folder / "ca.crt", folder / "ca.key"
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=kubernetes",
         "-addext", f"subjectAltName=IP:{address}", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    tokens = {f"token-of-{account}": account for account in accounts}
    for token, account in tokens.items():
        own = folder / "accounts" / account
        own.mkdir(parents=True)
        for name, text in {"token": token, "ca.crt": certificate.read_text(), "namespace": namespace}.items():
            (own / name).write_text(text)
    handler = type("Handler", (_Handler,), {"store": store, "tokens": tokens})
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer((address, 6443), handler)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
