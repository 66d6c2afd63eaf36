"""The only door to Delta: read a version, commit one, look back; knows no table's columns or rules.

Delta has no commit across tables. A step therefore commits its sibling tables first and its main table last; the main
commit's notes name the siblings' versions, and `LakeWriter.heal` takes siblings back to them after a crash.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import polars as pl
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake import Schema as DeltaSchema
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import create_table_with_add_actions

from cluster.delta_sink import WrittenFile
from cluster.errors import DataError, FatalError, RetryableError
from cluster.lease import Lease
from cluster.storage import Storage

NOTES = "retail"
Mode = Literal["append", "overwrite", "replace"]


@dataclass(frozen=True)
class RowCounts:
    """Lines of a step: `read = accepted + rejected + merged`."""

    read: int = 0
    accepted: int = 0
    rejected: int = 0
    merged: int = 0


@dataclass(frozen=True)
class TableVersion:
    """The baton between steps: one version of one table, and the run that made it."""

    table: str
    version: int
    run_id: str


@dataclass(frozen=True)
class DataFile:
    """One Parquet file of a version.

    Attributes:
        uri: Absolute path or URL.
        partition: Partition column to value.
        rows: Number of rows.
    """

    uri: str
    partition: Mapping[str, str | None]
    rows: int


@dataclass(frozen=True)
class Commit:
    """What a commit puts into a table.

    Attributes:
        files: Files that workers wrote into the table's folder.
        schema: Arrow schema of the whole table, partition columns included.
        partition_by: Partition columns, none or one.
        mode: `append`; `overwrite` (the whole table); `replace` (the partitions in `partitions`, new columns allowed).
        partitions: Partition values that `replace` empties first.
        notes: What later steps need to know of this version, as JSON.
    """

    files: Sequence[WrittenFile]
    schema: pa.Schema
    partition_by: Sequence[str] = ()
    mode: Mode = "append"
    partitions: Sequence[str] = ()
    notes: Mapping[str, Any] = field(default_factory=dict)


class Lakehouse:
    """Reads the lake; safe in any process."""

    def __init__(self, storage: Storage) -> None:
        """Open the lake at `storage`; nothing is touched yet."""
        self.storage = storage

    def _open(self, table: str, version: int | None = None) -> DeltaTable:
        try:
            return DeltaTable(
                self.storage.table_uri(table), version=version, storage_options=self.storage.options or None
            )
        except Exception as error:
            raise DataError(
                f"The table {table} cannot be read" + (f" at version {version}" if version is not None else ""),
                where=self.storage.table_uri(table),
                why=str(error).strip().partition("\n")[0],
                remedy="Run `retail history " + table + "` to see its versions.",
            ) from error

    def exists(self, table: str) -> bool:
        """Whether the table has a first version."""
        return bool(DeltaTable.is_deltatable(self.storage.table_uri(table), self.storage.options or None))

    def version(self, table: str) -> int | None:
        """Give the newest version, None when the table does not exist."""
        return self._open(table).version() if self.exists(table) else None

    def notes(self, table: str, version: int) -> dict[str, Any]:
        """Give the notes of a version's commit; empty when it has none."""
        log = f"{self.storage.table_uri(table)}/_delta_log/{version:020}.json"
        entries = (json.loads(line) for line in self.storage.read_bytes(log).decode().splitlines())
        commits = [entry["commitInfo"] for entry in entries if "commitInfo" in entry]
        return json.loads(commits[0].get(NOTES, "{}")) if commits else {}

    def latest(self, table: str) -> tuple[int, dict[str, Any]] | None:
        """Give newest version and its notes in one look, None when the table does not exist."""
        version = self.version(table)
        return None if version is None else (version, self.notes(table, version))

    def sibling_version(self, main: str, sibling: str, version: int | None = None) -> int | None:
        """Give the version of `sibling` that the main table's newest (or given) version names."""
        at = self.version(main) if version is None else version
        named = None if at is None else self.notes(main, at).get("siblings", {}).get(sibling)
        return None if named is None else int(named)

    def schema(self, table: str, version: int | None = None) -> pa.Schema:
        """Give the Arrow schema of a version."""
        return pa.schema(self._open(table, version).schema().to_arrow())

    def files(self, table: str, version: int | None = None) -> list[DataFile]:
        """List the Parquet files of a version, sorted by URI."""
        opened = self._open(table, version)
        actions = pa.table(opened.get_add_actions(flatten=True)).to_pylist()
        root = self.storage.table_uri(table)
        found = (
            DataFile(
                f"{root}/{action['path']}",
                {key.removeprefix("partition."): action[key] for key in action if key.startswith("partition.")},
                action["num_records"] or 0,
            )
            for action in actions
        )
        return sorted(found, key=lambda file: file.uri)

    def rows(self, table: str, version: int | None = None) -> int:
        """Count the rows of a version from the log alone."""
        return sum(file.rows for file in self.files(table, version))

    def scan(self, table: str, version: int | None = None) -> pl.LazyFrame:
        """Open a version as a lazy frame; the caller bounds what it collects.

        It names the files itself, since `polars.scan_delta` finds none below a folder with a blank in its name.
        """
        opened = self._open(table, version)
        schema = pl.DataFrame(pl.from_arrow(pa.schema(opened.schema().to_arrow()).empty_table())).schema
        files = [file.uri for file in self.files(table, opened.version())]
        if not files:
            return pl.LazyFrame(schema=schema)
        hive = pl.Schema({name: schema[name] for name in opened.metadata().partition_columns})
        return pl.scan_parquet(
            files, glob=False, schema=schema, hive_partitioning=bool(hive), hive_schema=hive or None,
            missing_columns="insert", storage_options=self.storage.options or None,
        )  # fmt: skip

    def committed_number(self, table: str) -> int | None:
        """Give the number of the last run that committed the table."""
        return self._open(table).transaction_version(table) if self.exists(table) else None

    def history(self, table: str, limit: int | None = None) -> list[dict[str, Any]]:
        """List commits, newest first: version, timestamp (ms), operation, run_id, notes."""
        return [
            {
                "version": entry.get("version"),
                "timestamp": entry.get("timestamp"),
                "operation": entry.get("operation"),
                **json.loads(entry.get(NOTES, "{}")),
            }
            for entry in self._open(table).history(limit)
        ]


class LakeWriter(Lakehouse):
    """Commits to the lake for one run that holds the lease; driver only."""

    def __init__(self, storage: Storage, lease: Lease) -> None:
        """Write for the run of `lease`: its `run_id` names the commits, its `number` their transactions."""
        super().__init__(storage)
        self.lease = lease
        self.run_id = lease.run_id
        self.number = lease.number

    def commit(self, table: str, commit: Commit) -> TableVersion:
        """Commit a table once for this run; a repeat of the same run changes nothing.

        Args:
            table: `layer.name`.
            commit: Files, schema, mode and notes.

        Returns:
            The version that holds the commit.

        Raises:
            RetryableError: Another writer came first, or the lease is no longer ours.
            FatalError: An append brings a column that the table does not have.
        """
        self.lease.check()
        if self.committed_number(table) == self.number:
            return TableVersion(table, self._open(table).version(), self.run_id)
        properties = self._properties(commit.notes, Transaction(table, self.number))
        schema = DeltaSchema.from_arrow(commit.schema)
        actions = [file.add_action() for file in commit.files]
        partition_by = list(commit.partition_by)
        try:
            if not self.exists(table):
                create_table_with_add_actions(
                    self.storage.table_uri(table), schema, actions, partition_by=partition_by,
                    storage_options=self.storage.options or None, commit_properties=properties,
                )  # fmt: skip
            elif commit.mode == "append":
                self._refuse_new_columns(table, commit)
                self._open(table).create_write_transaction(
                    actions, "append", schema, partition_by, commit_properties=properties
                )
            else:
                self._open(table).create_write_transaction(
                    actions, "overwrite", schema, partition_by,
                    partition_filters=_partition_filter(commit), commit_properties=properties,
                )  # fmt: skip
        except CommitFailedError as error:
            raise RetryableError(
                f"Another writer committed {table} first", where=self.storage.table_uri(table), why=str(error),
                remedy="Run the command again.",
            ) from error  # fmt: skip
        return TableVersion(table, self._open(table).version(), self.run_id)

    def _refuse_new_columns(self, table: str, commit: Commit) -> None:
        """Delta would take the files of such an append and never show the column."""
        new = [name for name in commit.schema.names if name not in self.schema(table).names]
        if new:
            raise FatalError(
                f"An append to {table} brings new columns: {', '.join(new)}", where=self.storage.table_uri(table),
                remedy="Nothing was committed; commit it with `replace`.",
            )  # fmt: skip

    def heal(self, main: str, siblings: Iterable[str]) -> list[str]:
        """Take siblings back to what the main table names, after a run that ended between its commits.

        Args:
            main: The step's main table.
            siblings: The step's other tables.

        Returns:
            The tables that had to be taken back.
        """
        healed = []
        for table in siblings:
            named, newest = self.sibling_version(main, table), self.version(table)
            if newest is None or newest == named or self.notes(table, newest).get("restored", "never") == named:
                continue
            self.lease.check()
            opened = self._open(table)
            properties = self._properties({"restored": named})
            if named is None:
                schema = opened.schema()
                opened.create_write_transaction(
                    [], "overwrite", schema, opened.metadata().partition_columns, commit_properties=properties
                )
            else:
                opened.restore(named, commit_properties=properties)
            healed.append(table)
        return healed

    def _properties(self, notes: Mapping[str, Any], *transactions: Transaction) -> CommitProperties:
        text = json.dumps({"run_id": self.run_id, "run_number": self.number, **notes})
        return CommitProperties(
            custom_metadata={NOTES: text}, app_transactions=list(transactions) or None, max_commit_retries=0
        )


def _partition_filter(commit: Commit) -> list[tuple[str, str, list[str]]] | None:
    """Name the partitions that `replace` empties; None empties the table."""
    if commit.mode == "overwrite":
        return None
    return [(commit.partition_by[0], "in", list(commit.partitions))]
