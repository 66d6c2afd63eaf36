"""The closing table and the exit code say what happened, also when a run broke off."""

import json
from decimal import Decimal

import pytest

from cluster.errors import FatalError
from cluster.lakehouse import RowCounts, TableVersion
from pipelines.steps import Money, StepResult
from ray_apps.console import OUT
from ray_apps.reports import exit_code, is_all_refused, messages, run_as_dict, show_broken, show_run
from ray_apps.session import Run

REFUSAL = {"what": "The file is empty", "where": "/in/empty.csv", "why": "", "remedy": "Deliver it again."}
READ = StepResult(
    "bronze", TableVersion("bronze.files", 3, "r"), RowCounts(10, 7, 2, 1),
    Money(Decimal("9747747.934"), Decimal("9747747.934")), 1.234, messages=("one thing",),
)  # fmt: skip
UNCHANGED = StepResult("gold", None, changed=False)
ALL_REFUSED = StepResult("bronze", None, changed=True, refusals=(REFUSAL,))
SOME_REFUSED = StepResult("bronze", None, RowCounts(5, 5), refusals=(REFUSAL,))
SKIPPED = StepResult("bronze", None, changed=False, messages=("a.csv: skipped",), refusals=(REFUSAL,))


def run_of(*results: StepResult) -> Run:
    return Run("run-1", list(results))


def test_the_table_fits_into_80_columns_and_loses_no_penny(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OUT, "width", 80)
    big = StepResult(
        "publish", None, RowCounts(541_909, 531_285, 10_624, 5_268), Money(*[Decimal("9747747.9341")] * 4), 123.4
    )  # fmt: skip
    show_run(run_of(READ, big))
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 5, "no cell is folded"
    assert "9,747,747.934" in out
    assert "9,747,747.9341" in out
    assert "1.23" in out
    assert "one thing" in err


@pytest.mark.parametrize(
    ("results", "all_refused", "code", "said"),
    [
        ((READ, UNCHANGED), False, 0, ""),
        ((UNCHANGED, UNCHANGED), False, 0, "Nothing was new"),
        ((SOME_REFUSED,), False, 1, "the others went through"),
        ((SKIPPED, UNCHANGED), False, 1, "the others went through"),
        ((ALL_REFUSED, UNCHANGED), True, 1, "Every input was refused"),
    ],
)
def test_refusals_decide_the_exit_code(
    results: tuple[StepResult, ...], all_refused: bool, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_of(*results)
    assert (is_all_refused(run), exit_code(run)) == (all_refused, code)
    show_run(run)
    err = capsys.readouterr().err
    assert said in err
    assert ("/in/empty.csv" in err) == bool(code)
    assert run_as_dict(run)["status"] == ("failed" if code else "succeeded")


def test_many_messages_are_cut_short_in_a_terminal_only() -> None:
    many = StepResult("bronze", None, messages=tuple(f"file {n}: skipped" for n in range(30)))
    said = messages([many], most=12)
    assert len(said) == 13
    assert "18 more" in said[-1]
    assert len(run_as_dict(run_of(many))["steps"][0]["messages"]) == 30


def test_a_run_that_broke_off_tells_what_it_did_and_why_it_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    error = FatalError("The disk is full", where="/lake", remedy="Free some.")
    assert show_broken(run_of(SOME_REFUSED), error, as_json=False) == 1
    out, err = capsys.readouterr()
    assert "bronze" in out
    assert all(part in err for part in ("/in/empty.csv", "The disk is full", "Free some."))


def test_a_run_that_broke_off_is_one_json_document(capsys: pytest.CaptureFixture[str]) -> None:
    show_broken(run_of(READ), FatalError("The disk is full", remedy="Free some."), as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["status"], told["error"], told["remedy"]) == ("failed", "FatalError", "Free some.")
    assert [step["step"] for step in told["steps"]] == ["bronze"]
    assert told["steps"][0]["money"]["read"] == "9747747.934"
