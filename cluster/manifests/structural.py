"""Judges an object by the structural schema of a custom resource, as the API server does; knows no kind by name.

Defaults are filled in first; a field that the schema does not have is refused (the API server would drop it in
silence); lists that are sets or maps hold nothing twice; CEL rules are evaluated, those on changes where there is an
object from before.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from datetime import datetime
from functools import cache
from typing import Any

import cel
from jsonschema import Draft4Validator, FormatChecker, validators
from jsonschema.exceptions import ValidationError

from cluster.manifests.violation import Violation, dotted, unknown, worded

Schema = Mapping[str, Any]
Path = tuple[object, ...]
MISSING = object()
KEEPS = "x-kubernetes-preserve-unknown-fields"
EMBEDDED = "x-kubernetes-embedded-resource"
FORMATS = FormatChecker(formats=())
"""Those that occur in the schemas; Kubernetes ignores the ones that it does not know."""


@FORMATS.checks("int32")
def _is_int32(value: object) -> bool:
    return not isinstance(value, int) or -(2**31) <= value < 2**31


@FORMATS.checks("int64")
def _is_int64(value: object) -> bool:
    return not isinstance(value, int) or -(2**63) <= value < 2**63


@FORMATS.checks("date-time", raises=ValueError)
def _is_time(value: object) -> bool:
    return not isinstance(value, str) or bool(datetime.fromisoformat(value).tzinfo)


def _type(validator: Any, wanted: str, instance: Any, schema: Schema) -> Iterator[ValidationError]:
    """Judge the type; null where OpenAPI's `nullable` allows it."""
    if not (instance is None and schema.get("nullable")):
        yield from Draft4Validator.VALIDATORS["type"](validator, wanted, instance, schema)


OpenApiValidator = validators.extend(Draft4Validator, {"type": _type})  # type: ignore[no-untyped-call]
"""Draft 4, whose exclusive bounds are switches as in OpenAPI 3.0."""


def filled(value: Any, schema: Schema) -> Any:
    """Copy a value with the schema's defaults filled in, as the API server stores it.

    Args:
        value: An object or a part of one.
        schema: Its schema.

    Returns:
        The copy.
    """
    if isinstance(value, Mapping):
        made = dict(value)
        for name, inner in schema.get("properties", {}).items():
            absent = name not in made or (made[name] is None and not inner.get("nullable"))
            if absent and "default" in inner:
                made[name] = deepcopy(inner["default"])
        return {name: filled(item, _inner(schema, name) or {}) for name, item in made.items()}
    if isinstance(value, list):
        return [filled(item, schema.get("items", {})) for item in value]
    return value


def judged(value: Any, schema: Schema, old: Any = None) -> list[Violation]:
    """List what a structural schema refuses.

    Args:
        value: The object, its defaults filled in.
        schema: Of its kind.
        old: The object from before, where this is an update of it.

    Returns:
        Each violation once.
    """
    validator = OpenApiValidator(schema, format_checker=FORMATS)
    found = [violation for error in validator.iter_errors(value) for violation in worded(error)]
    found += _walk(value, schema, MISSING if old is None else old, ())
    return list(dict.fromkeys(found))


def _inner(schema: Schema, name: str) -> Schema | None:
    """Give the schema of a field, None where there is no such field."""
    known: Schema | None = schema.get("properties", {}).get(name)
    if known is not None:
        return known
    more = schema.get("additionalProperties")
    if isinstance(more, Mapping):
        return more
    if more is True or schema.get(KEEPS) or (schema.get(EMBEDDED) and name in {"apiVersion", "kind", "metadata"}):
        return {KEEPS: True}
    return None


def _walk(value: Any, schema: Schema, old: Any, path: Path) -> Iterator[Violation]:
    yield from _rules(value, schema, old, path)
    if isinstance(value, Mapping):
        # Metadata of the object itself: its schema names no field, the API server has its own for it.
        schema = {KEEPS: True} if path == ("metadata",) else schema
        for name, item in value.items():
            inner = _inner(schema, name)
            if inner is None:
                yield unknown((*path, name), schema.get("properties", {}))
                continue
            before = old.get(name, MISSING) if isinstance(old, Mapping) else MISSING
            yield from _walk(item, inner, before, (*path, name))
    elif isinstance(value, list):
        earlier = _by_key(old, schema) if isinstance(old, list) else {}
        items = schema.get("items", {KEEPS: True} if schema.get(KEEPS) else {})
        seen = set()
        for position, item in enumerate(value):
            key = _key(item, schema)
            if key is not None and key in seen:
                yield Violation(dotted((*path, position)), f"{', '.join(key)} is there already", "Name it once.")
            seen.add(key)
            yield from _walk(item, items, MISSING if key is None else earlier.get(key, MISSING), (*path, position))


def _key(item: Any, schema: Schema) -> tuple[str, ...] | None:
    """Give what identifies an item of a list that is a map or a set; None in other lists."""
    kind = schema.get("x-kubernetes-list-type")
    if kind == "set":
        return (repr(item),)
    if kind == "map" and isinstance(item, Mapping):
        return tuple(f"{name} {item.get(name)}" for name in schema.get("x-kubernetes-list-map-keys", ()))
    return None


def _by_key(items: list[Any], schema: Schema) -> dict[tuple[str, ...], Any]:
    keyed = ((_key(item, schema), item) for item in items)
    return {key: item for key, item in keyed if key is not None}


def _rules(value: Any, schema: Schema, old: Any, path: Path) -> Iterator[Violation]:
    """Evaluate the CEL rules of a place; those that compare need a value from before."""
    for rule in schema.get("x-kubernetes-validations", ()):
        names = {"self": value}
        if "oldSelf" in rule["rule"]:
            if old is MISSING:
                continue
            names["oldSelf"] = old
        said = rule.get("message") or f"the rule {rule['rule']} does not hold"
        try:
            holds = _program(rule["rule"]).execute(names) is True
        except (RuntimeError, TypeError, ValueError, KeyError) as error:
            holds, said = False, f"the rule {rule['rule']} cannot be evaluated: {error}"
        if not holds:
            yield Violation(dotted(path), said, "Obey the rule of the custom resource's definition.")


@cache
def _program(rule: str) -> cel.Program:
    return cel.compile(rule)
