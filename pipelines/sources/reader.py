"""What a source format must offer, and the small facts that travel between its tasks; knows no format."""

from dataclasses import dataclass, field
from typing import Any, Protocol

import polars as pl

from cluster.storage import Storage


@dataclass(frozen=True)
class Part:
    """A part of a file that one task reads.

    Attributes:
        text_uri: The uncompressed text: the file itself, or a scratch copy.
        start: First byte.
        stop: Byte behind the last one.
        first_line: Line of the file that starts at `start`; the header is line 1.
    """

    text_uri: str
    start: int
    stop: int
    first_line: int


@dataclass(frozen=True)
class Inspection:
    """What one look at a whole file tells.

    Attributes:
        uri: The file.
        name: Its name without folder.
        sha256: Of its bytes as delivered.
        size_bytes: Of the file as delivered.
        header_text: The header line as received.
        header: Its cells.
        parts: Where it may be cut.
        refusal: Why it cannot be read (what, where, why, remedy); empty when it can.
    """

    uri: str
    name: str
    sha256: str
    size_bytes: int
    header_text: str = ""
    header: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    refusal: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DeadLine:
    """A line that cannot be split into cells.

    Attributes:
        row_number: Line of the file.
        reason: `too_few_cells`, `too_many_cells`, `unclosed_quote` or `malformed_line`.
        raw_text: The line as received.
    """

    row_number: int
    reason: str
    raw_text: str

    def as_dict(self) -> dict[str, Any]:
        """Give a row of bronze.dead_letters, as far as the line itself knows it."""
        return {"row_number": self.row_number, "reason": self.reason, "raw_text": self.raw_text}


@dataclass(frozen=True)
class Cells:
    """The lines of a part.

    Attributes:
        frame: One text column per header cell, named "0", "1", …, and row_number (Int64); cells as received.
        dead: Lines that could not be split.
    """

    frame: pl.DataFrame
    dead: tuple[DeadLine, ...]


class Reader(Protocol):
    """A source format. A call may run in any worker and may be repeated."""

    def inspect(self, storage: Storage, uri: str, scratch: str, part_bytes: int) -> Inspection:
        """Look at a whole file once, in bounded memory: hash, header, where it may be cut, or why it is refused."""

    def read(self, storage: Storage, part: Part, width: int) -> Cells:
        """Read a part of a file whose header has `width` cells."""
