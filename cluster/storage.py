"""Where each table and each scratch file stands, on a folder or an object store; knows no table's columns."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pyarrow.fs as pafs

from cluster.errors import ConfigurationError
from cluster.settings import Settings

SCHEMES = ("s3://", "gs://", "abfss://")


@dataclass(frozen=True)
class Storage:
    """The lake's address and the object store's options; small, and pickled to every worker.

    Attributes:
        root: Absolute folder or URL, no slash at the end.
        options: Options of the object store, by the names that deltalake and Polars share.
    """

    root: str
    options: dict[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Make the storage that the settings name."""
        options = {name: value.get_secret_value() for name, value in settings.storage_options.items()}
        return cls(settings.lake, options)

    @property
    def is_local(self) -> bool:
        """Whether the lake is a folder of this machine (or a mount that every node shares)."""
        return is_local(self.root)

    def table_uri(self, table: str) -> str:
        """Give the URI of a table, for instance `silver.retail_transactions` → `<root>/silver/retail_transactions`."""
        return f"{self.root}/{table.replace('.', '/')}"

    def scratch_uri(self, run_id: str) -> str:
        """Give the folder of a run's scratch files, deleted when the run ends."""
        return f"{self.root}/_scratch/{run_id}"

    def open(self, uri: str) -> tuple[pafs.FileSystem, str]:
        """Give the filesystem of a URI and the path within it.

        Args:
            uri: Absolute path or URL.

        Returns:
            A pyarrow filesystem and the path that it understands.

        Raises:
            ConfigurationError: The scheme is not one of s3, gs, abfss.
        """
        if is_local(uri):
            return pafs.LocalFileSystem(), uri.removeprefix("file://")
        if uri.startswith("s3://"):
            return self._s3(), uri.removeprefix("s3://")
        if not uri.startswith(SCHEMES):
            raise ConfigurationError(
                "The address has a scheme that is not known", where=uri, remedy="Use a path, s3://, gs:// or abfss://."
            )
        return pafs.FileSystem.from_uri(uri)  # type: ignore[no-any-return]

    def _s3(self) -> pafs.S3FileSystem:
        endpoint = self.options.get("AWS_ENDPOINT_URL")
        return pafs.S3FileSystem(
            access_key=self.options.get("AWS_ACCESS_KEY_ID"),
            secret_key=self.options.get("AWS_SECRET_ACCESS_KEY"),
            region=self.options.get("AWS_REGION"),
            endpoint_override=endpoint.split("://")[-1] if endpoint else None,
            scheme=endpoint.split("://")[0] if endpoint else "https",
        )

    def read_bytes(self, uri: str, start: int = 0, stop: int | None = None) -> bytes:
        """Read bytes `start` to `stop` (exclusive; None: the end) of a file."""
        filesystem, path = self.open(uri)
        with filesystem.open_input_file(path) as source:
            end = source.size() if stop is None else stop
            return bytes(source.read_at(end - start, start))

    def write_bytes(self, uri: str, data: bytes) -> int:
        """Write a whole file, making its folder; give its size in bytes."""
        filesystem, path = self.open(uri)
        if is_local(uri):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        with filesystem.open_output_stream(path) as sink:
            sink.write(data)
        return len(data)

    def remove_tree(self, uri: str) -> None:
        """Delete a folder and what is in it; a missing one is fine."""
        if is_local(uri):
            shutil.rmtree(uri.removeprefix("file://"), ignore_errors=True)
            return
        filesystem, path = self.open(uri)
        if filesystem.get_file_info(path).type is not pafs.FileType.NotFound:
            filesystem.delete_dir(path)

    def remove_file(self, uri: str) -> None:
        """Delete a file; a missing one is fine."""
        filesystem, path = self.open(uri)
        if filesystem.get_file_info(path).type is not pafs.FileType.NotFound:
            filesystem.delete_file(path)

    def list_folders(self, uri: str) -> list[str]:
        """Name the folders directly below a folder; none when it is missing."""
        filesystem, path = self.open(uri)
        found = filesystem.get_file_info(pafs.FileSelector(path, allow_not_found=True))
        return sorted(info.base_name for info in found if info.type is pafs.FileType.Directory)


def is_local(uri: str) -> bool:
    """Whether a URI is a path of the local filesystem."""
    return "://" not in uri or uri.startswith("file://")
