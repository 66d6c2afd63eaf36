import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.errors import ConfigurationError, DataError, FatalError, PlatformError, RequestError, RetryableError

KINDS = [PlatformError, ConfigurationError, DataError, RetryableError, FatalError, RequestError]


@given(st.sampled_from(KINDS), st.text(), st.text(), st.text(), st.text())
def test_pickling_keeps_class_and_all_fields(
    kind: type[PlatformError], what: str, where: str, why: str, remedy: str
) -> None:
    error = pickle.loads(pickle.dumps(kind(what, where=where, why=why, remedy=remedy)))
    assert type(error) is kind
    assert (error.what, error.where, error.why, error.remedy) == (what, where, why, remedy)
    assert error.as_dict()["error"] == kind.__name__


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({}, "It broke"),
        ({"where": "a.csv"}, "a.csv: It broke"),
        ({"why": "no space"}, "It broke (no space)"),
        ({"where": "a.csv", "why": "no space", "remedy": "Free some."}, "a.csv: It broke (no space). Free some."),
    ],
)
def test_text_says_where_what_why_and_the_remedy(fields: dict[str, str], line: str) -> None:
    assert str(DataError("It broke", **fields)) == line


def test_wrong_use_exits_with_2_and_everything_else_with_1() -> None:
    assert {kind.__name__: kind.exit_code for kind in KINDS if kind.exit_code != 1} == {"ConfigurationError": 2}
