"""Reads YAML as Kubernetes does, without dates, and writes it for people; knows no object."""

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


class _Dumper(yaml.CSafeDumper):
    """Text of several lines as a block, each value written out."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write nothing as a reference to what stands above."""
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def write_document(value: Any) -> str:
    """Write a document with its keys in their order."""
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text
