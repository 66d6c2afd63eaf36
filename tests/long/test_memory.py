"""Soak: the driver's memory with 2 and 10 million lines."""

from pathlib import Path

from tests.flow.test_sample_oracle import assert_flat_memory


def test_the_drivers_memory_does_not_grow_with_ten_million_lines(tmp_path: Path) -> None:
    assert_flat_memory(tmp_path, 2_000_000, 10_000_000)
