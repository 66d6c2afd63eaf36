import ast
import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import pipelines.sample
from cluster.errors import ConfigurationError
from pipelines.sample import generate_sample, run_here
from pipelines.sample.catalogue import make_catalogue
from pipelines.steps import Report
from pipelines.tasks import Row

ALLOWED = {"pipelines.steps", "pipelines.tasks"}


def test_the_oracle_is_its_own() -> None:
    """Nothing of the sample's modules comes from the pipeline that it is to judge."""
    imported = set()
    for module in Path(pipelines.sample.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.ImportFrom):
                imported |= {node.module or ""} if node.module != "pipelines" else {f"pipelines.{node.names[0].name}"}
            elif isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
    ours = {name for name in imported if name.partition(".")[0] in {"pipelines", "warehouse_sql", "models", "cluster"}}
    assert {name for name in ours if not name.startswith("pipelines.sample")} == ALLOWED | {"cluster.errors"}


def digests(out: Path) -> dict[str, str]:
    files = (file for file in sorted(out.rglob("*")) if file.is_file())
    return {str(file.relative_to(out)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def backwards(task: Callable[[Any], Row], items: Sequence[Any], what: str, report: Report) -> list[Row]:
    """Run the last task first, each twice and without what an earlier one left in memory."""
    rows: list[Row] = []
    for item in reversed(items):
        task(item)
        make_catalogue.cache_clear()
        rows.append(task(item))
    return rows[::-1]


def test_the_same_size_and_seed_give_the_same_bytes_however_tasks_run(tmp_path: Path) -> None:
    generate_sample(4_000, 7, tmp_path / "a", spread=run_here)
    generate_sample(4_000, 7, tmp_path / "b", spread=backwards)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert len(digests(tmp_path / "a")) > 5


@pytest.mark.parametrize(("lines", "seed", "start"), [(4_000, 8, date(2023, 1, 2)), (4_000, 7, date(2022, 1, 3))])
def test_another_seed_or_start_gives_other_lines(tmp_path: Path, lines: int, seed: int, start: date) -> None:
    generate_sample(4_000, 7, tmp_path / "a", spread=run_here)
    generate_sample(lines, seed, tmp_path / "b", start=start, spread=run_here)
    one, other = (set(digests(tmp_path / name).values()) for name in "ab")
    assert not one & other


def test_the_report_says_what_is_there_and_how_far_it_is(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    made = generate_sample(1_500, 1, tmp_path, lambda *progress: told.append(progress), spread=run_here)
    assert made.changed
    assert made.lines == 1_500
    assert made.data == tmp_path / "data"
    assert {path.name for path in tmp_path.iterdir()} == {"data", "expected.json"}
    assert made.files == len(list(made.data.iterdir())) == len(json.loads(made.expected.read_text())["file_sizes"])
    assert told[0][1] == 0
    assert told[-1][1] == told[-1][2] > 1
    assert {what for what, _, _ in told} == {"sample"}


def test_the_same_sample_is_left_as_it_is(tmp_path: Path) -> None:
    generate_sample(1_500, 1, tmp_path, spread=run_here)
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")}
    again = generate_sample(1_500, 1, tmp_path, spread=run_here)
    assert not again.changed
    assert again.files == len(list(again.data.iterdir()))
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")} == before


def change_nothing(out: Path) -> None:
    pass


def shorten_a_file(out: Path) -> None:
    file = next((out / "data").glob("*.csv"))
    file.write_bytes(file.read_bytes()[:-20])


def add_a_file(out: Path) -> None:
    (out / "data" / "mine.csv").write_text("a,b\n")


def lose_the_figures(out: Path) -> None:
    (out / "expected.json").unlink()


def spoil_the_figures(out: Path) -> None:
    (out / "expected.json").write_text("[]")


@pytest.mark.parametrize(
    ("seed", "change"),
    [
        (2, change_nothing),
        (1, shorten_a_file),
        (1, add_a_file),
        (1, lose_the_figures),
        (1, spoil_the_figures),
    ],
)
def test_a_folder_with_something_else_is_refused_and_kept(
    tmp_path: Path, seed: int, change: Callable[[Path], None]
) -> None:
    generate_sample(1_500, 1, tmp_path, spread=run_here)
    change(tmp_path)
    before = digests(tmp_path)
    with pytest.raises(ConfigurationError) as refused:
        generate_sample(1_500, seed, tmp_path, spread=run_here)
    assert refused.value.where == str(tmp_path)
    assert "Name another folder" in refused.value.remedy
    assert digests(tmp_path) == before


def test_what_an_interrupted_run_left_is_no_data_and_is_replaced(tmp_path: Path) -> None:
    def stop(task: Callable[[Any], Row], items: Sequence[Any], what: str, report: Report) -> list[Row]:
        task(items[0])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate_sample(1_500, 2, tmp_path, spread=stop)
    assert not (tmp_path / "data").exists()
    generate_sample(1_500, 1, tmp_path, spread=run_here)
    generate_sample(1_500, 1, tmp_path / "fresh", spread=run_here)
    fresh = digests(tmp_path / "fresh")
    assert {name: digest for name, digest in digests(tmp_path).items() if not name.startswith("fresh")} == fresh


@pytest.mark.parametrize(("lines", "seed"), [(999, 1), (0, 1), (-5, 1), (1_000, -1)])
def test_impossible_wishes_are_refused_before_anything_is_written(tmp_path: Path, lines: int, seed: int) -> None:
    with pytest.raises(ConfigurationError) as refused:
        generate_sample(lines, seed, tmp_path, spread=run_here)
    assert refused.value.remedy
    assert not list(tmp_path.iterdir())
