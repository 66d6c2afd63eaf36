"""Files that live for one run: what tasks of a step hand to the next ones; knows no column.

They stand in the lake, since the next task may run on another node, and are Arrow IPC, which is read without decoding.
"""

import io
from typing import Any

import polars as pl

from cluster.storage import Storage, is_local

FOLDER = "_scratch"


def write_scratch(storage: Storage, uri: str, frame: pl.DataFrame) -> str:
    """Write a frame; a repeat overwrites it.

    Args:
        storage: The lake.
        uri: Below `storage.scratch_uri(run_id)`.
        frame: The rows.

    Returns:
        The URI.
    """
    buffer = io.BytesIO()
    frame.write_ipc(buffer, compression="uncompressed")
    storage.write_bytes(uri, buffer.getbuffer())  # type: ignore[arg-type]
    return uri


def scan_scratch(storage: Storage, uri: str) -> pl.LazyFrame:
    """Open a frame that `write_scratch` wrote; on a local disk it is mapped into memory, not read."""
    if is_local(uri):
        return pl.scan_ipc(uri, glob=False)
    options: Any = storage.options or None
    return pl.scan_ipc(uri, storage_options=options, glob=False)


def remove_dead_scratch(storage: Storage, run_id: str) -> list[str]:
    """Delete the scratch of runs that ended without doing it; only the holder of the lease may call this.

    Args:
        storage: The lake.
        run_id: The run that is alive.

    Returns:
        The runs whose scratch was deleted.
    """
    dead = [name for name in storage.list_folders(f"{storage.root}/{FOLDER}") if name != run_id]
    for name in dead:
        storage.remove_tree(storage.scratch_uri(name))
    return dead
