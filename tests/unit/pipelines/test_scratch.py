from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from cluster.storage import Storage
from pipelines.scratch import remove_dead_scratch, scan_scratch, write_scratch


@pytest.mark.parametrize("folder", ["lake", "my [l]ake"])
def test_a_frame_comes_back_and_a_repeat_overwrites_it(tmp_path: Path, folder: str) -> None:
    storage = Storage(str(tmp_path / folder))
    frame = pl.DataFrame({"id": [b"\x00" * 16, None], "n": [1, 2], "t": ["é", ""]})
    uri = f"{storage.scratch_uri('run-1')}/part/x.arrow"
    write_scratch(storage, uri, frame.head(1))
    assert write_scratch(storage, uri, frame) == uri
    assert_frame_equal(scan_scratch(storage, uri).collect(), frame)
    write_scratch(storage, f"{uri}.empty", frame.clear())
    assert scan_scratch(storage, f"{uri}.empty").collect().schema == frame.schema


def test_scratch_of_dead_runs_goes_and_that_of_the_living_stays(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    assert remove_dead_scratch(storage, "alive") == []
    for run in ("alive", "dead-1", "dead-2"):
        write_scratch(storage, f"{storage.scratch_uri(run)}/x.arrow", pl.DataFrame({"n": [1]}))
    assert remove_dead_scratch(storage, "alive") == ["dead-1", "dead-2"]
    assert storage.list_folders(f"{tmp_path}/_scratch") == ["alive"]
