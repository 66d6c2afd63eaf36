"""A rule, what it finds, and the change of a right manifest that it refuses; knows no rule of its own."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from cluster.manifests.objects import Finding, Manifest, Overlay

ABSENT = object()
"""Value of a change that removes the field."""


OPERATOR = "Values operator"
"""Object of a change of the operator's values: `featureGates`."""
OPTIONS = "Options validate"
"""Object of a change of what `retail cluster validate` was told: `test_images`."""


@dataclass(frozen=True)
class Change:
    """A change of a rendered object that makes it wrong: an example of what a rule refuses.

    Attributes:
        object: Kind and name, `RayService retail-api`; `OPERATOR` and `OPTIONS` for what is judged beside objects.
        path: Path of the field, dotted, list positions as numbers, a key with dots in brackets; missing mappings on
            the way are made, and it leads into YAML or JSON that is a string. Empty: the object itself, new or not.
        value: The new value; `ABSENT` removes the field or the object.
    """

    object: str
    path: str
    value: Any


@dataclass(frozen=True)
class Found:
    """A finding before its rule is named: the object, the field, the reason and the remedy."""

    manifest: Manifest
    field: str
    reason: str
    remedy: str


@dataclass(frozen=True)
class Rule:
    """A rule of the manifests.

    Attributes:
        id: Short name in kebab case.
        source: Where it comes from: `KubeRay 1.7.0, validation.go`, `Ray 2.60.0`, `house`.
        says: The rule as a sentence.
        check: Gives what breaks it.
        example: Changes which, made together to the rendered overlay, this rule refuses, and only this one.
        overlay: The overlay that the example changes.
        found_at: Object and end of the field that it finds, where that is not what the example changes.
        also: Who refuses the example too, without a word of why: the object's `schema`, or Ray's own `readers`.
    """

    id: str
    source: str
    says: str
    check: Callable[[Overlay], Iterator[Found]]
    example: tuple[Change, ...]
    overlay: str = "dev"
    found_at: tuple[str, str] | None = None
    also: Literal["", "schema", "readers"] = ""

    def findings(self, overlay: Overlay) -> list[Finding]:
        """Judge an overlay by this rule."""
        return [
            Finding(self.id, found.manifest.file, str(found.manifest), found.field, found.reason, found.remedy)
            for found in self.check(overlay)
        ]
