"""The list of known fields holds no more than the manifests use, or another rule refuses."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from cluster.manifests.objects import Overlay
from cluster.manifests.rules.fields import FIELDS, REFUSED

CLUSTER = re.compile(r"^(rayClusterConfig|rayClusterSpec)\.")
TEMPLATE = re.compile(r"^(headGroupSpec\.template|workerGroupSpecs\.\*\.template|submitterPodTemplate)\.")
GROUP = re.compile(r"^(headGroupSpec|workerGroupSpecs\.\*)\.")


def patterns(body: Any, path: str = "") -> Iterator[str]:
    """Give the pattern of every field, `*` for a position."""
    yield path
    items = (
        body.items() if isinstance(body, Mapping) else (("*", item) for item in body) if isinstance(body, list) else ()
    )
    for key, value in items:
        yield from patterns(value, f"{path}.{key}" if path else key)


def short(pattern: str) -> str:
    """Leave out which kind, group or template a field stands in: the lists are shared."""
    return GROUP.sub("", TEMPLATE.sub("", CLUSTER.sub("", pattern)))


def test_every_known_field_is_used_or_refused_by_a_rule_of_its_own(overlays: Mapping[str, Overlay]) -> None:
    objects = [manifest for overlay in overlays.values() for manifest in overlay.of(*FIELDS)]
    used = {short(pattern) for manifest in objects for pattern in patterns(manifest.spec)}
    known = {short(pattern) for fields in FIELDS.values() for pattern in fields}

    unused = {field for field in known - used if not any(field.endswith(end) for end in REFUSED)}
    assert unused == set()
