"""From what a person names to cells as strings: discovery, column names, one module per format. No rule is known here.

A new format is one module with a `Reader` and one line in `READERS`.
"""

from pipelines.sources.csv_reader import CsvReader
from pipelines.sources.reader import Reader

READERS: dict[str, Reader] = {".csv": CsvReader(), ".csv.gz": CsvReader()}
"""File name suffix → reader."""


def suffix_of(name: str) -> str | None:
    """Give the suffix in `READERS` that a file name ends with, None for an unknown format."""
    return max((suffix for suffix in READERS if name.lower().endswith(suffix)), key=len, default=None)
