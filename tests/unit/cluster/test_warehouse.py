"""The door to PostgreSQL says what is wrong and never shows a password."""

from pathlib import Path

import pytest

from cluster.errors import ConfigurationError, RetryableError
from cluster.settings import load_settings
from cluster.warehouse import connect, masked, migrate, running_warehouse, warehouse_url

AWAY = "postgresql://somebody:geheim@127.0.0.1:9/x"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (AWAY, "postgresql://somebody:***@127.0.0.1:9/x"),
        ("postgresql://somebody:ge@heim:1@host/x", "postgresql://somebody:***@host/x"),
        ("postgresql://somebody@host/x", "postgresql://somebody@host/x"),
        ("postgresql://host:5432/x", "postgresql://host:5432/x"),
        ("postgresql://host/x?user=u&password=geheim&sslmode=require",
         "postgresql://host/x?user=u&password=***&sslmode=require"),
        ("host=h user=u password='ge heim' dbname=x", "host=h user=u password=*** dbname=x"),
    ],
)  # fmt: skip
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert masked(url) == shown


@pytest.mark.parametrize("act", [connect, migrate])
def test_a_server_that_is_away_is_named_without_its_password(act: type) -> None:
    with pytest.raises(RetryableError, match="does not answer") as caught:
        act(AWAY)
    assert "somebody:***@127.0.0.1:9" in str(caught.value)
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize("url", ["postgresql://somebody:geheim%zz@host/x", "postgresql://u:p@h/x?geheim=1", "geheim"])
def test_a_malformed_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError, match="wrong form") as caught:
        connect(url)
    assert "geheim" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_url_that_is_set_is_never_replaced_by_the_embedded_server(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path, warehouse_url=AWAY)
    assert warehouse_url(settings) == AWAY
    with pytest.raises(RetryableError, match="does not answer"), running_warehouse(settings):
        pass
    assert list(tmp_path.iterdir()) == []
