"""The edge of a process: every end has its exit code, every error its remedy, and stdout is JSON or empty."""

import json
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.errors import ConfigurationError, DataError, FatalError
from ray_apps.edge import guarded, unexpected
from ray_apps.signals import STOP

OURS = DataError("The table is gone", where="silver.x [red]", why="somebody removed it", remedy="Run `retail run`.")


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in STOP}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def raising(error: BaseException) -> Callable[[], Any]:
    def call() -> None:
        raise error

    return call


def ended(error: BaseException) -> int:
    with pytest.raises(SystemExit) as end:
        guarded(raising(error))
    assert isinstance(end.value.code, int)
    return end.value.code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OURS, 1),
        (FatalError("broken"), 1),
        (ConfigurationError("a wrong setting"), 2),
        (KeyboardInterrupt(), 130),
        (SystemExit(130), 130),
        (SystemExit(0), 0),
        (SystemExit(2), 2),
        (ValueError("nobody foresaw"), 1),
        (PermissionError(13, "Permission denied", "/root/x"), 1),
    ],
)
def test_every_end_has_its_exit_code(error: BaseException, code: int) -> None:
    assert ended(error) == code


def test_an_error_of_ours_is_told_in_full_and_without_a_trace(capsys: pytest.CaptureFixture[str]) -> None:
    ended(OURS)
    out, err = capsys.readouterr()
    assert out == ""
    for part in (OURS.what, OURS.where, OURS.why, OURS.remedy):
        assert part in err
    assert "Traceback" not in err


def test_as_json_the_error_stands_alone_on_stdout(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["retail", "status", "--json"])
    ended(OURS)
    assert json.loads(capsys.readouterr().out) == OURS.as_dict()


def test_what_nobody_foresaw_keeps_its_trace(capsys: pytest.CaptureFixture[str]) -> None:
    ended(ValueError("nobody foresaw"))
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "ValueError: nobody foresaw" in err
    assert "remedy" in err


def test_a_file_that_the_machine_refuses_is_named() -> None:
    try:
        Path("/nonexistent/folder/file").read_text()
    except OSError as error:
        told = unexpected(error)
    assert (told.where, told.why) == ("/nonexistent/folder/file", "No such file or directory")
    assert told.remedy


def test_a_signal_ends_an_entry_point() -> None:
    with pytest.raises(SystemExit) as end:
        guarded(lambda: signal.raise_signal(signal.SIGTERM))
    assert end.value.code == 130
