"""Judges objects of Kubernetes' own kinds by its strict schemas; knows no custom resource."""

import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator
from referencing import Registry, Resource

from cluster.manifests.objects import Body
from cluster.manifests.violation import Violation, worded

KUBERNETES = "1.37"
"""Whose schemas are taken."""
QUANTITY = r"^[+-]?(\d+(\.\d*)?|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$"
"""The schemas take any text as a quantity; the API server does not."""
META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


def judged(body: Body) -> list[Violation] | None:
    """List what Kubernetes' schema refuses.

    Args:
        body: The object.

    Returns:
        The violations; None where Kubernetes has no such kind.
    """
    validator = _validator(str(body.get("apiVersion", "")), str(body.get("kind", "")))
    if validator is None:
        return None
    return [violation for error in validator.iter_errors(body) for violation in worded(error)]


def metadata_judged(metadata: Any) -> list[Violation]:
    """List what is wrong with an object's metadata."""
    validator = Draft202012Validator({"$ref": f"{_definitions()['$id']}#/$defs/{META}"}, registry=_registry())
    found = [violation for error in validator.iter_errors(metadata) for violation in worded(error)]
    return [
        Violation(f"metadata.{item.field}" if item.field else "metadata", item.reason, item.remedy) for item in found
    ]


@cache
def _validator(api_version: str, kind: str) -> Validator | None:
    if not re.fullmatch(r"[\w./-]+", api_version) or not kind.isalnum():
        return None
    # rbac.authorization.k8s.io/v1 stands in role-rbac-v1.json
    group = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", api_version)
    file = _folder() / f"{kind.lower()}-{group}.json"
    if not file.is_file():
        return None
    schema = json.loads(file.read_text())
    known = {"kind": kind, "version": api_version.rpartition("/")[2]}
    kinds = [{name: item[name] for name in known} for item in schema.get("x-kubernetes-group-version-kind", ())]
    if known not in kinds:
        return None
    return Draft202012Validator(schema, registry=_registry())


@cache
def _registry() -> Registry[Any]:
    return Resource.from_contents(_definitions()) @ Registry()


@cache
def _definitions() -> Any:
    definitions = json.loads((_folder() / "_definitions.json").read_text())
    quantity = {"anyOf": [{"type": ["string", "null"], "pattern": QUANTITY}, {"type": "number"}]}
    definitions["$defs"]["io.k8s.apimachinery.pkg.api.resource.Quantity"] = quantity
    return definitions


def _folder() -> Any:
    return files("kubernetes_validate") / "kubernetes-json-schema" / f"v{KUBERNETES}.0-local-strict"
