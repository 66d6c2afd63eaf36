"""The one error tree of the platform, ordered by what the reader has to do about it; it knows no other room.

PlatformError
├── ConfigurationError   fix the setting or the command line, start again
├── DataError            this input or table stops, nothing of it is committed
├── RetryableError       the same call may succeed later
├── FatalError           a promise of the platform is broken: stop and look
└── RequestError         the caller of the API asked for something wrong
"""

from typing import Any, Self


class PlatformError(Exception):
    """What happened, where, why, and what to do next; survives pickling with all its fields."""

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", why: str = "", remedy: str = "") -> None:
        """Keep the four answers.

        Args:
            what: What went wrong, one sentence.
            where: File, line, column, table or address.
            why: The cause, as far as it is known.
            remedy: What the reader should do next.
        """
        super().__init__(what)
        self.what = what
        self.where = where
        self.why = why
        self.remedy = remedy

    def __reduce__(self) -> tuple[Any, ...]:
        """Rebuild from the four fields, so that none is lost between processes."""
        return type(self)._restore, (self.what, self.where, self.why, self.remedy)

    @classmethod
    def _restore(cls, what: str, where: str, why: str, remedy: str) -> Self:
        return cls(what, where=where, why=why, remedy=remedy)

    def __str__(self) -> str:
        """Give one line: `where: what (why). remedy`."""
        head = f"{self.where}: {self.what}" if self.where else self.what
        return head + (f" ({self.why})" if self.why else "") + (f". {self.remedy}" if self.remedy else "")

    def as_dict(self) -> dict[str, str]:
        """Give the four fields for JSON."""
        return {
            "error": type(self).__name__,
            "what": self.what,
            "where": self.where,
            "why": self.why,
            "remedy": self.remedy,
        }


class ConfigurationError(PlatformError):
    """Fix the setting or the command line and start again."""

    exit_code = 2


class DataError(PlatformError):
    """This input or table stops; nothing of it is committed."""


class RetryableError(PlatformError):
    """The same call may succeed later: retry with back-off."""


class FatalError(PlatformError):
    """A promise of the platform is broken; stop and look."""


class RequestError(PlatformError):
    """The caller of the API asked for something that cannot be answered."""
