"""The edge of a process: signals in, exit code out, every error told with its remedy; knows no job."""

import sys
import traceback
from collections.abc import Callable
from typing import Any

from cluster.errors import FatalError, PlatformError
from ray_apps.console import say, show_error
from ray_apps.signals import interrupt_on_signals

INTERRUPTED = 130
"""128 + SIGINT, as shells count."""


def guarded(call: Callable[[], Any]) -> None:
    """Run an entry point.

    Args:
        call: The Typer application.

    Raises:
        SystemExit: With the exit code of the outcome: 0, 1 failed, 2 wrong use or setting, 130 interrupted.
    """
    interrupt_on_signals()
    try:
        call()
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None
    except SystemExit as end:
        if end.code == INTERRUPTED:
            say("Interrupted. What was committed stays; the same command goes on from there.")
        raise
    except PlatformError as error:
        raise SystemExit(_told(error)) from None
    except Exception as error:  # noqa: BLE001 - the edge: it ends the process
        known = unexpected(error)
        if not known.where:
            traceback.print_exc()
        raise SystemExit(_told(known)) from None


def _told(error: PlatformError) -> int:
    show_error(error, "--json" in sys.argv)
    return error.exit_code


def unexpected(error: BaseException) -> PlatformError:
    """Give an error that nobody foresaw the form of the others."""
    if isinstance(error, OSError) and error.filename:
        return FatalError(
            "The machine refuses a file", where=str(error.filename), why=error.strerror or str(error),
            remedy="Correct the path or its permissions; `retail doctor` looks at disk and memory.",
        )  # fmt: skip
    why = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
    return FatalError(
        "Something happened that nobody foresaw", why=why,
        remedy="The trace above says where; nothing half-done was committed. Please report it.",
    )  # fmt: skip
