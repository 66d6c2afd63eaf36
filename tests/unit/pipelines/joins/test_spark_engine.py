"""Where Spark spills, and that what killed processes left is removed."""

import os
import subprocess
import sys
from pathlib import Path

from pipelines.joins.spark_engine import SCRATCH, make_scratch


def test_scratch_of_dead_processes_is_removed_and_that_of_living_ones_stays(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    dead, living = (tmp_path / f"{SCRATCH}{pid}-x" for pid in (int(ended.stdout), os.getppid()))
    for folder in (dead, living):
        (folder / "blockmgr").mkdir(parents=True)
    mine = make_scratch(tmp_path)
    assert mine.is_dir()
    assert mine.name.startswith(f"{SCRATCH}{os.getpid()}-")
    assert not dead.exists()
    assert living.exists()
