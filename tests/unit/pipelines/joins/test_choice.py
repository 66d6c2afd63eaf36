"""Which engine runs a join, at the boundary and beside it, and that the reason says so."""

import pytest

from cluster.errors import ConfigurationError
from cluster.settings import load_settings
from pipelines.joins.choice import Size, choose

NO_JARS = "no hadoop-aws jar"


@pytest.mark.parametrize(("count", "engine"), [(0, "local"), (999, "local"), (1_000, "spark"), (1_001, "spark")])
def test_auto_switches_at_the_threshold(count: int, engine: str) -> None:
    choice = choose(load_settings(join="auto", spark_from_rows=1_000), Size(count, "rows of facts"), None)
    assert choice.engine == engine
    assert f"{count:,} rows of facts" in choice.reason
    assert "1,000 (RETAIL_SPARK_FROM_ROWS)" in choice.reason


def test_what_is_set_wins_over_the_size() -> None:
    for engine in ("spark", "local"):
        for count in (0, 10**12):
            choice = choose(load_settings(join=engine, spark_from_rows=1_000), Size(count, "rows"), None)
            assert choice.engine == engine
            assert "as set" in choice.reason


def test_without_the_jars_auto_stays_local_and_says_why() -> None:
    choice = choose(load_settings(join="auto", spark_from_rows=10), Size(10, "rows"), NO_JARS)
    assert choice.engine == "local"
    assert NO_JARS in choice.reason


def test_without_the_jars_spark_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=NO_JARS):
        choose(load_settings(join="spark"), Size(10, "rows"), NO_JARS)
