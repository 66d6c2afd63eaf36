"""Reads a Serve configuration with Serve's own models, and refuses the keys that these pass over in silence."""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from cluster.manifests.objects import Body

Problem = tuple[str, str]


def serve_problems(config: Body) -> list[Problem]:
    """List what is wrong with a Serve configuration.

    Args:
        config: As `serve run` and KubeRay's operator take it.

    Returns:
        Dotted path and reason of each problem.
    """
    from ray.serve.schema import ServeDeploySchema

    found = [*_refused(ServeDeploySchema, config, ""), *_walk(ServeDeploySchema, config, "")]
    return list(dict.fromkeys(found))


def _walk(model: type[BaseModel], value: Body, path: str) -> Iterator[Problem]:
    """Refuse unknown keys, and read what Serve takes as a mapping with the model that it turns it into later."""
    fields = model.model_fields
    names = {field.alias: name for name, field in fields.items() if field.alias}
    for key, item in value.items():
        here = f"{path}.{key}" if path else str(key)
        field = fields.get(names.get(key, key))
        if field is None:
            yield here, f"{model.__name__} has no such key and passes over it (known: {', '.join(sorted(fields))})"
            continue
        inner = _model(field.annotation)
        if inner is None:
            continue
        for place, part in _mappings(item, here):
            if _is_loose(field.annotation):
                yield from _refused(inner, part, place)
            yield from _walk(inner, part, place)


def _refused(model: type[BaseModel], value: Body, path: str) -> Iterator[Problem]:
    try:
        model.model_validate(value)
    except ValidationError as error:
        for item in error.errors():
            steps = [path, *(str(step) for step in item["loc"])]
            yield ".".join(filter(None, steps)), item["msg"]
    except (ValueError, TypeError, ImportError) as error:
        yield path, str(error)


def _model(annotation: Any) -> type[BaseModel] | None:
    """Find the model in an annotation: itself, optional, in a list, or one of a union."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model(part))), None)


def _is_loose(annotation: Any) -> bool:
    """Whether a mapping of any content is taken beside the model."""
    if annotation is dict or getattr(annotation, "__origin__", None) is dict:
        return True
    return any(_is_loose(part) for part in get_args(annotation))


def _mappings(value: Any, path: str) -> Iterator[tuple[str, Body]]:
    if isinstance(value, Mapping):
        yield path, value
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _mappings(item, f"{path}.{position}")
