"""The harness changes waits and adds Secrets: everything else of the overlay is as it was rendered."""

from collections.abc import Iterator
from typing import Any

import yaml

from cluster.manifests.objects import Manifest
from tests.kube.substitutions import AUTOSCALER, RAY, SERVE, hurried

WAITS = {"idleTimeoutSeconds", *SERVE}
VARIABLES = {*AUTOSCALER, *RAY}


def differences(before: Any, after: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Give the path of every leaf that differs; lists of variables by their names."""
    if path[-1:] == ("serveConfigV2",) and isinstance(before, str):
        before, after = yaml.safe_load(before), yaml.safe_load(after)
    if path[-1:] == ("env",):
        before, after = ({one["name"]: one for one in variables or []} for variables in (before, after))
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        before, after = dict(enumerate(before)), dict(enumerate(after))
    if not isinstance(before, dict) or not isinstance(after, dict):
        if before != after:
            yield path
        return
    for name in {*before, *after}:
        yield from differences(before.get(name), after.get(name), (*path, str(name)))


def test_only_waits_and_secrets_are_replaced(rendered: list[Manifest]) -> None:
    own = [manifest for manifest in rendered if manifest.name]
    made = hurried(rendered, "postgresql://somewhere/retail")
    assert {body["kind"] for body in made[len(own) :]} == {"Secret"}
    assert not [manifest for manifest in own if manifest.kind == "Secret"]
    found = {path for before, after in zip(own, made, strict=False) for path in differences(before.body, after)}
    assert {path[-1] for path in found} == WAITS | VARIABLES
    assert all(path[-2] == "env" for path in found if path[-1] in VARIABLES)
