from pathlib import Path

import pytest

from cluster.storage import Storage
from pipelines.sources.discover import Found, find_files


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    inbox = tmp_path / "in box"
    for name in ("b.csv", "a.CSV", "deep/er/c.csv.gz", ".hidden.csv", "_SUCCESS.csv", ".git/d.csv", "deep/_tmp/e.csv"):
        path = inbox / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    return inbox


def found(*inputs: Path | str) -> Found:
    return find_files(Storage("/nowhere"), [str(path) for path in inputs])


def names(result: Found, inbox: Path) -> list[str]:
    return [str(Path(uri).relative_to(inbox)) for uri in result.uris]


def test_a_folder_gives_its_files_at_any_depth_hidden_ones_left_out(inbox: Path) -> None:
    result = found(inbox)
    assert names(result, inbox) == ["a.CSV", "b.csv", "deep/er/c.csv.gz"]
    assert result.refusals == ()


def test_a_file_is_taken_even_when_its_name_is_hidden_or_looks_like_a_pattern(inbox: Path) -> None:
    odd = inbox / "day[1]*.csv"
    odd.write_text("x")
    assert names(found(inbox / ".hidden.csv", odd), inbox) == [".hidden.csv", "day[1]*.csv"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("*.csv", ["_SUCCESS.csv", "b.csv"]), ("**/*.gz", ["deep/er/c.csv.gz"]), ("[ab].*", ["a.CSV", "b.csv"])],
)
def test_a_pattern_gives_the_files_it_matches(inbox: Path, pattern: str, expected: list[str]) -> None:
    result = found(inbox / pattern)
    assert names(result, inbox) == expected
    assert result.refusals == ()


def test_a_file_named_twice_is_read_once_in_the_order_named(inbox: Path) -> None:
    assert names(found(inbox / "b.csv", inbox, inbox / "*.csv", f"file://{inbox}/b.csv"), inbox) == [
        "b.csv", "a.CSV", "deep/er/c.csv.gz", "_SUCCESS.csv",
    ]  # fmt: skip


def test_relative_paths_and_the_home_become_absolute(inbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(inbox)
    monkeypatch.setenv("HOME", str(inbox / "deep"))
    assert names(found("b.csv", "~/er"), inbox) == ["b.csv", "deep/er/c.csv.gz"]


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("nothing.csv", "There is no such file or folder"),
        ("*.parquet", "The pattern matches no file"),
        ("dee*", "The pattern matches no file"),
        ("deep/_tmp/none", "There is no such file or folder"),
        (".git", ""),
        ("empty", "The folder has no files"),
        ("only hidden", "The folder has no files"),
    ],
)
def test_what_gives_no_file_is_refused_by_name_and_the_rest_goes_through(inbox: Path, name: str, what: str) -> None:
    (inbox / "empty").mkdir()
    (inbox / "only hidden").mkdir()
    (inbox / "only hidden/.x.csv").write_text("x")
    result = found(inbox / name, inbox / "b.csv")
    assert [uri for uri in result.uris if uri.endswith("b.csv")]
    assert [refusal["what"] for refusal in result.refusals] == ([what] if what else [])
    assert all(refusal["where"] == str(inbox / name) and refusal["remedy"] for refusal in result.refusals)


def test_an_unknown_format_is_refused_by_file_and_names_the_known_ones(inbox: Path) -> None:
    (inbox / "deep/book.xlsx").write_text("x")
    result = found(inbox / "deep")
    (refusal,) = result.refusals
    assert names(result, inbox) == ["deep/er/c.csv.gz"]
    assert refusal["where"] == str(inbox / "deep/book.xlsx")
    assert ".csv, .csv.gz" in refusal["remedy"]


def test_an_unknown_scheme_is_refused_and_the_rest_goes_through(inbox: Path) -> None:
    result = found("ftp://host/x.csv", inbox / "b.csv")
    assert names(result, inbox) == ["b.csv"]
    assert [refusal["where"] for refusal in result.refusals] == ["ftp://host/x.csv"]
    assert "s3://" in result.refusals[0]["remedy"]
