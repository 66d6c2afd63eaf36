"""Reads YAML as Kubernetes does, without dates; knows no object."""

from typing import Any

import yaml


class _Loader(yaml.CSafeLoader):
    """libyaml's parser."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def read_documents(text: str | bytes) -> list[Any]:
    """Read every document of a text, empty ones left out.

    Args:
        text: YAML.

    Returns:
        The documents.

    Raises:
        ValueError: It is no YAML.
    """
    try:
        return [document for document in yaml.load_all(text, _Loader) if document is not None]
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def read_document(text: str | bytes) -> Any:
    """Read a text of at most one document; None where it is empty."""
    documents = read_documents(text)
    return documents[0] if documents else None
