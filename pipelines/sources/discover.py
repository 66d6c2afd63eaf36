"""From paths, globs, folders and URLs to a list of files; knows the suffixes of formats and nothing inside a file."""

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.fs as pafs

from cluster.errors import ConfigurationError
from cluster.storage import Storage, is_local
from pipelines.sources import READERS, suffix_of


@dataclass(frozen=True)
class Found:
    """Files to read, in the order named, and what was named but cannot be read.

    Attributes:
        uris: Absolute paths or URLs of files of a known format, each once.
        refusals: what, where, why, remedy of each input that gives none.
    """

    uris: tuple[str, ...]
    refusals: tuple[dict[str, str], ...]


def find_files(storage: Storage, inputs: Sequence[str]) -> Found:
    """Resolve what a person named.

    Args:
        storage: Opens URLs.
        inputs: Files, folders (their files, at any depth, hidden ones left out), globs or URLs.

    Returns:
        Files, and a refusal for a missing path, an unknown scheme or format and a folder or glob without files.
    """
    uris: dict[str, None] = {}
    refusals: list[dict[str, str]] = []
    for named in inputs:
        try:
            files, empty = _local(named) if is_local(named) else _remote(storage, named)
        except ConfigurationError as error:
            refusals.append({key: value for key, value in error.as_dict().items() if key != "error"})
            continue
        if not files:
            refusals.append({"what": empty, "where": named, "why": "", "remedy": "Check the path."})
        for uri in files:
            if suffix_of(uri):
                uris[uri] = None
            else:
                known = ", ".join(READERS)
                remedy = f"Deliver one of {known}, or leave the file out."
                refusals.append({"what": "The format is not known", "where": uri, "why": "", "remedy": remedy})
    return Found(tuple(uris), tuple(refusals))


def _local(named: str) -> tuple[list[str], str]:
    path = Path(named.removeprefix("file://")).expanduser().absolute()
    if path.is_file():
        return [str(path)], ""
    if path.is_dir():
        inside = (file for file in sorted(path.rglob("*")) if file.is_file())
        return [str(file) for file in inside if not _is_hidden(file, path)], "The folder has no files"
    matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
    if glob.has_magic(named):
        return [match for match in matches if Path(match).is_file()], "The pattern matches no file"
    return [], "There is no such file or folder"


def _is_hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith((".", "_")) for part in file.relative_to(folder).parts)


def _remote(storage: Storage, named: str) -> tuple[list[str], str]:
    filesystem, path = storage.open(named)
    scheme = named.partition("://")[0]
    info = filesystem.get_file_info(path.rstrip("/"))
    if info.type is pafs.FileType.File:
        return [named], ""
    if info.type is pafs.FileType.NotFound:
        return [], "There is no such file or folder"
    inside = filesystem.get_file_info(pafs.FileSelector(path, recursive=True))
    files = sorted(item.path for item in inside if item.type is pafs.FileType.File)
    shown = [file for file in files if not file.rpartition("/")[2].startswith((".", "_"))]
    return [f"{scheme}://{file}" for file in shown], "The folder has no files"
