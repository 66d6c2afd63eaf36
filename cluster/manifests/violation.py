"""What a schema refuses, and the words for what a JSON schema found; knows no schema."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from jsonschema.exceptions import ValidationError

MOST_CHARACTERS = 200


@dataclass(frozen=True)
class Violation:
    """What a schema refuses.

    Attributes:
        field: Dotted path.
        reason: Why.
        remedy: What to do.
    """

    field: str
    reason: str
    remedy: str = "Correct the value."


def dotted(path: Iterable[object]) -> str:
    """Write a path; a step that holds dots stands in brackets."""
    return ".".join(f"[{step}]" if "." in str(step) else str(step) for step in path)


def worded(error: ValidationError) -> list[Violation]:
    """Word what a JSON schema found.

    Args:
        error: From `jsonschema`.

    Returns:
        A violation, or one for each field that is missing or unknown.
    """
    path = list(error.absolute_path)
    instance: Any = error.instance
    wanted: Any = error.validator_value
    schema: Any = error.schema
    if error.validator == "required":
        return [
            Violation(dotted([*path, name]), "it is required and missing", "Add it.")
            for name in wanted
            if name not in instance
        ]
    if error.validator == "additionalProperties" and not wanted:
        known = schema.get("properties", {})
        return [unknown([*path, name], known) for name in instance if name not in known]
    if error.context and error.validator in {"anyOf", "oneOf"}:
        for item in error.context:
            if item.validator == "pattern":
                return [Violation(dotted(path), _reason(item))]
        kinds = " and no ".join(_types(item.validator_value) for item in error.context if item.validator == "type")
        return [Violation(dotted(path), f"{_short(instance)} is no {kinds}")]
    return [Violation(dotted(path), _reason(error))]


def unknown(path: Iterable[object], known: Iterable[str]) -> Violation:
    """Refuse a field that the schema does not have."""
    names = ", ".join(sorted(known)) or "none"
    return Violation(dotted(path), f"there is no such field (known here: {_cut(names)})", "Remove it, or correct it.")


def _reason(error: ValidationError) -> str:
    value = _short(error.instance)
    wanted: Any = error.validator_value
    match error.validator:
        case "type":
            return f"{value} is no {_types(wanted)}"
        case "enum":
            return f"{value} is none of {', '.join(map(str, wanted))}"
        case "pattern":
            return f"{value} does not match {wanted}"
        case "format":
            return f"{value} is no {wanted}"
    return _cut(error.message)


def _types(wanted: Any) -> str:
    """Name the types that a schema wants; that null is among them says nothing."""
    names = wanted if isinstance(wanted, list) else [wanted]
    return " or ".join(name for name in names if name != "null")


def _short(value: Any) -> str:
    return _cut(repr(value), 60)


def _cut(text: str, most: int = MOST_CHARACTERS) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
