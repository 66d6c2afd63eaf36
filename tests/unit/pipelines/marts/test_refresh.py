"""Which marts no longer fit their inputs, and in which order they are refreshed."""

from pipelines.marts.refresh import Mart, stale_marts

DAILY = Mart("daily", True, {"gold.facts"})
MONTHS = Mart("months", True, {"marts.daily"})
YEARS = Mart("years", True, {"marts.months", "gold.dates"})
NAMES = Mart("names", True, {"gold.customers", "seeds.names"})
MARTS = [YEARS, NAMES, MONTHS, DAILY]


def test_what_reads_a_changed_table_is_stale_with_all_that_reads_it_inputs_first() -> None:
    assert stale_marts(MARTS, {"gold.facts"}) == [DAILY, MONTHS, YEARS]


def test_what_reads_other_tables_stays() -> None:
    assert stale_marts(MARTS, {"gold.customers"}) == [NAMES]
    assert stale_marts(MARTS, {"gold.dates"}) == [YEARS]
    assert stale_marts(MARTS, {"gold.unread"}) == []
    assert stale_marts(MARTS, set()) == []
    assert stale_marts([], {"gold.facts"}) == []
