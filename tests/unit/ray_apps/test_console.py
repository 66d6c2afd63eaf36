"""What a person sees: nothing is cut off, nothing of a name is taken for markup, stdout stays an answer."""

import json
import sys
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_apps.console import (
    ProgressReport,
    hush_libraries,
    money,
    say,
    show_json,
    show_problem,
    show_table,
    stdout_is_ours,
)


@given(st.decimals(min_value=-(10**15), max_value=10**15, places=4, allow_nan=False, allow_infinity=False))
def test_money_is_shown_whole(amount: Decimal) -> None:
    shown = money(amount)
    assert Decimal(shown.replace(",", "")) == amount
    assert len(shown.partition(".")[2]) >= 2


def test_a_table_shows_every_cell_as_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [("[red]x[/red]", 1234567, Decimal("9747747.9340"), None, True), ("", 0, Decimal(0), "a\\", False)]
    show_table("Files in [bold]", ("name", "rows", "money", "note", "on"), rows)
    out = capsys.readouterr().out
    for cell in ("Files in [bold]", "[red]x[/red]", "1,234,567", "9,747,747.934", "–", "yes", "no", "a\\"):
        assert cell in out


def test_names_in_messages_and_problems_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    say("[bold]sales[/bold] [1].csv: skipped")
    show_problem({"what": "[x] is bad", "where": "/tmp/[y]", "why": "", "remedy": "see [z]"})
    out, err = capsys.readouterr()
    assert out == ""
    assert "[bold]sales[/bold] [1].csv" in err
    for part in ("[x] is bad", "/tmp/[y]", "see [z]"):
        assert part in err
    assert "why" not in err


def test_progress_elsewhere_is_one_line_per_kind_of_task_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressReport() as report:
        for done in range(4):
            report("silver", done, 3)
    out, err = capsys.readouterr()
    assert (out, err) == ("", "silver: 3 of 3\n")


def test_what_libraries_print_never_mixes_with_an_answer(capsys: pytest.CaptureFixture[str]) -> None:
    with stdout_is_ours():
        print("(raylet) a worker died")
        show_json({"rows": 1})
        hush_libraries()
        print("(raylet) the controller was killed")
    show_json([])
    out, err = capsys.readouterr()
    assert json.loads(out.removesuffix("[]\n")) == {"rows": 1}
    assert err == "(raylet) a worker died\n"
    assert sys.stdout.writable()


def test_json_keeps_money_and_names(capsys: pytest.CaptureFixture[str]) -> None:
    show_json({"money": Decimal("0.1000"), "name": "Ångström"})
    out = capsys.readouterr().out
    assert json.loads(out) == {"money": "0.1000", "name": "Ångström"}
    assert "Ångström" in out
