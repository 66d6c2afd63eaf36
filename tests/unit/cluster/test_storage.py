from pathlib import Path

import pyarrow.fs as pafs
import pytest

from cluster.errors import ConfigurationError
from cluster.storage import Storage, is_local


def test_uris_of_tables_and_scratch() -> None:
    storage = Storage("s3://bucket/lake")
    assert storage.table_uri("silver.retail_transactions") == "s3://bucket/lake/silver/retail_transactions"
    assert storage.scratch_uri("r1") == "s3://bucket/lake/_scratch/r1"
    assert not storage.is_local
    assert is_local("/x")
    assert is_local("file:///x")


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_files_are_written_read_in_part_listed_and_removed(tmp_path: Path, scheme: str) -> None:
    storage = Storage(str(tmp_path))
    uri = f"{scheme}{tmp_path}/a b/[c]/x.bin"
    assert storage.write_bytes(uri, b"0123456789") == 10
    assert storage.write_bytes(uri, b"abcdef") == 6
    assert storage.read_bytes(uri) == b"abcdef"
    assert storage.read_bytes(uri, 2, 4) == b"cd"
    assert storage.read_bytes(uri, 4) == b"ef"
    assert storage.list_folders(f"{scheme}{tmp_path}/a b") == ["[c]"]
    storage.remove_file(uri)
    storage.remove_file(uri)
    storage.remove_tree(f"{scheme}{tmp_path}/a b")
    storage.remove_tree(f"{scheme}{tmp_path}/a b")
    assert storage.list_folders(f"{scheme}{tmp_path}/a b") == []
    assert not (tmp_path / "a b").exists()


def test_the_object_store_is_the_one_of_the_options() -> None:
    storage = Storage(
        "s3://b/lake", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ACCESS_KEY_ID": "k",
                        "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "eu"}
    )  # fmt: skip
    filesystem, path = storage.open("s3://b/lake/x")
    assert path == "b/lake/x"
    assert isinstance(filesystem, pafs.S3FileSystem)
    assert filesystem.region == "eu"


def test_an_unknown_scheme_is_refused_with_the_remedy() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Storage("/x").open("ftp://host/file.csv")
    assert caught.value.where == "ftp://host/file.csv"
    assert "s3://" in caught.value.remedy
