"""One sample of 30,000 lines for the tests that only read."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest

from pipelines.sample import SampleReport, generate_sample, run_here
from tests.unit.pipelines.sample.recount import Line, read_files


class Made(NamedTuple):
    """A sample, the figures beside it and its lines, file by file."""

    report: SampleReport
    expected: dict[str, Any]
    files: Sequence[Sequence[Line]]

    @property
    def delivered_first(self) -> list[Line]:
        """Lines of all files but second deliveries."""
        return [line for lines in self.files for line in lines if "_again" not in line.file]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    report = generate_sample(30_000, 11, tmp_path_factory.mktemp("sample"), spread=run_here)
    return Made(report, json.loads(report.expected.read_text()), read_files(report.data)[0])
