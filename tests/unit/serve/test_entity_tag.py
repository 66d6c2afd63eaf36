import pytest

from serve.entity_tag import build_id, entity_tag, matches


def test_a_tag_is_stable_and_changes_with_every_part() -> None:
    parts = (1, "/api/v1/sales", [("limit", "1")], "application/json")
    assert entity_tag(*parts) == entity_tag(*parts)
    others = [entity_tag(*parts[:place], "other", *parts[place + 1 :]) for place in range(len(parts))]
    assert len({entity_tag(*parts), *others}) == len(parts) + 1


def test_neighbouring_parts_do_not_run_together() -> None:
    assert entity_tag("ab", "c") != entity_tag("a", "bc")


@pytest.mark.parametrize(
    ("header", "is_match"),
    [
        ('"a"', True),
        ('W/"a"', True),
        ('"b", "a"', True),
        ("*", True),
        ('"b"', False),
        ("a", False),
        ("", False),
        (None, False),
    ],
)
def test_if_none_match_compares_weakly(header: str | None, is_match: bool) -> None:
    assert matches(header, '"a"') is is_match


def test_the_build_is_named_alike_in_every_replica() -> None:
    first = build_id()
    build_id.cache_clear()
    assert build_id() == first
