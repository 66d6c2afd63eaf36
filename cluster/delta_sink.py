"""Workers write Parquet files into a table's folder, the driver commits them once; knows no table's columns.

A file's name comes from run and task, so a task that Ray runs twice overwrites its own file.
"""

import io
import json
import time
from dataclasses import dataclass, field
from typing import Any

import polars as pl
from deltalake.transaction import AddAction

from cluster.storage import Storage


@dataclass(frozen=True)
class WrittenFile:
    """A Parquet file in a table's folder that no commit names yet; small, it travels from worker to driver.

    Attributes:
        path: Path below the table's folder, partition folder included.
        size: Bytes.
        rows: Number of rows.
        partition: Partition column to value.
    """

    path: str
    size: int
    rows: int
    partition: dict[str, str] = field(default_factory=dict)

    def add_action(self) -> AddAction:
        """Give Delta's own form."""
        stats = json.dumps({"numRecords": self.rows})
        return AddAction(self.path, self.size, dict(self.partition), int(time.time() * 1000), True, stats)


def write_file(
    storage: Storage, table: str, name: str, frame: pl.DataFrame, partition: dict[str, str] | None = None
) -> WrittenFile:
    """Write a frame as one Parquet file of a table, uncommitted.

    Args:
        storage: The lake.
        table: `layer.name`.
        name: File name without suffix, unique per run and task, the same when the task is repeated.
        frame: The rows, without partition columns.
        partition: Partition column to value.

    Returns:
        What the driver needs to commit the file.
    """
    folder = "".join(f"{column}={value}/" for column, value in (partition or {}).items())
    path = f"{folder}{name}.parquet"
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd", compression_level=1, row_group_size=262_144)
    size = storage.write_bytes(f"{storage.table_uri(table)}/{path}", buffer.getbuffer())  # type: ignore[arg-type]
    return WrittenFile(path, size, frame.height, dict(partition or {}))


def read_files(storage: Storage, uris: list[str], columns: list[str] | None = None) -> pl.DataFrame:
    """Read whole Parquet files, in the order given; without `columns`, a column absent in one of them is null there.

    Args:
        storage: The lake.
        uris: Absolute paths or URLs.
        columns: Columns to read; None reads all.

    Returns:
        One frame, without partition columns.
    """
    options: Any = storage.options or None
    frames = [
        pl.read_parquet(uri, columns=columns, storage_options=options, hive_partitioning=False, glob=False)
        for uri in uris
    ]
    return pl.concat(frames, how="diagonal") if frames else pl.DataFrame()
