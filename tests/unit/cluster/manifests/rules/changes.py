"""Makes the changes that a rule gives as its example; only what changes is copied."""

import copy
import json
import re
from collections.abc import Iterable, MutableMapping, MutableSequence
from dataclasses import replace
from typing import Any

import yaml

from cluster.manifests.objects import Manifest, Overlay
from cluster.manifests.rules.rule import ABSENT, OPERATOR, OPTIONS, Change

STEP = re.compile(r"\[([^\]]+)\]|([^.]+)")


def with_changes(overlay: Overlay, changes: Iterable[Change]) -> tuple[Overlay, list[Manifest]]:
    """Give the overlay with the changes made, and the objects that they made."""
    rendered = [manifest for manifest in overlay.objects if manifest.name]
    objects = {str(manifest): manifest for manifest in rendered}
    assert len(objects) == len(rendered), "two objects of one name"
    gates, test_images, touched = overlay.gates, overlay.test_images, dict[str, None]()
    for change in changes:
        if change.object == OPERATOR:
            gates = frozenset(change.value)
        elif change.object == OPTIONS:
            test_images = bool(change.value)
        elif not change.path:
            if change.value is ABSENT:
                del objects[change.object]
            else:
                objects[change.object] = Manifest(change.value, "an example")
                touched[change.object] = None
        else:
            assert change.object in objects, f"{change.object} is not in {overlay.name}"
            old = objects[change.object]
            body = old.body if change.object in touched else copy.deepcopy(old.body)
            objects[change.object] = Manifest(put(body, steps(change.path), change.value), old.file)
            touched[change.object] = None
    made = [objects[name] for name in touched]
    every = [one for manifest in objects.values() for one in (manifest, *templates(manifest))]
    made += [one for manifest in made for one in templates(manifest)]
    return replace(overlay, objects=every, gates=gates, test_images=test_images), made


def templates(manifest: Manifest) -> list[Manifest]:
    """Give the objects that a ConfigMap holds as JSON, as `render` does."""
    data = manifest.body.get("data", {}) if manifest.kind == "ConfigMap" else {}
    bodies = [json.loads(text) for key, text in data.items() if key.endswith(".json") and text.startswith("{")]
    return [Manifest(body, manifest.file) for body in bodies if body.get("kind") == "RayJob"]


def steps(path: str) -> list[str]:
    """Take a dotted path apart."""
    return [bracketed or plain for bracketed, plain in STEP.findall(path)]


def put(body: Any, path: list[str], value: Any) -> Any:
    """Set what is at a path; goes into YAML and JSON that is a string."""
    step, *rest = path
    if isinstance(body, str):
        read = json.loads(body) if body.lstrip().startswith("{") else yaml.safe_load(body)
        return json.dumps(put(read, path, value))
    if isinstance(body, MutableSequence):
        assert int(step) < len(body), f"no position {step}"
        body[int(step)] = put(body[int(step)], rest, value) if rest else value
        return body
    assert isinstance(body, MutableMapping)
    if rest:
        body[step] = put(body.get(step, {}), rest, value)
    elif value is ABSENT:
        assert step in body, f"{step} is absent already"
        del body[step]
    else:
        assert body.get(step) != value, f"{step} is {value!r} already"
        body[step] = value
    return body
