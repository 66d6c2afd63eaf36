"""Reads a Containerfile and the list of what is not sent to its build; knows no image."""

import fnmatch
import re
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[3]
CONTAINERFILE = PROJECT / "kuberay" / "image" / "Containerfile"


@dataclass(frozen=True)
class Instruction:
    """`RUN`, `COPY` and the like, and what stands behind it, on one line."""

    name: str
    rest: str


def instructions(text: str) -> list[Instruction]:
    """Read the instructions in order, comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    whole = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [Instruction(*line.split(maxsplit=1)) for line in whole.splitlines() if line.strip()]


def arguments(text: str) -> dict[str, str]:
    """Give the defaults of the build's arguments."""
    pairs = (item.rest.partition("=") for item in instructions(text) if item.name == "ARG")
    return {name: value for name, _, value in pairs}


def copied(text: str) -> list[str]:
    """Give what is copied from the project, not from another stage."""
    sources = [item.rest.split()[:-1] for item in instructions(text) if item.name == "COPY"]
    return [name for names in sources if not names[0].startswith("--from") for name in names]


def is_sent(path: str, patterns: list[str]) -> bool:
    """Say whether a file is part of the build: of the patterns that take it, or a folder above it, the last decides."""
    parts = path.split("/")
    above = ["/".join(parts[: count + 1]) for count in range(len(parts))]
    sent = True
    for pattern in patterns:
        allows, name = pattern.startswith("!"), pattern.removeprefix("!")
        if any(_takes(name, folder) for folder in above):
            sent = allows
    return sent


def _takes(pattern: str, path: str) -> bool:
    if pattern.startswith("**/"):
        return any(fnmatch.fnmatchcase(part, pattern.removeprefix("**/")) for part in path.split("/"))
    same_depth = pattern.count("/") == path.count("/")
    return same_depth and fnmatch.fnmatchcase(path, pattern)
