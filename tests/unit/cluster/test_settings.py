import traceback
from pathlib import Path

import pytest
from pydantic import ValidationError

from cluster.errors import ConfigurationError
from cluster.settings import Settings, load_settings, temporary_environment
from cluster.storage import Storage


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No `.env` and no setting of the machine reaches these tests."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"RETAIL_{name.upper()}", raising=False)


def test_values_come_from_arguments_then_environment_then_dot_env_then_defaults(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("RETAIL_CURRENCY=EUR\nRETAIL_HTTP_PORT=8001\nRETAIL_SOURCE_SYSTEM=till\n")
    with temporary_environment(RETAIL_HTTP_PORT="8002", RETAIL_SOURCE_SYSTEM="web"):
        settings = load_settings(source_system="shop", currency=None)
    assert (settings.source_system, settings.http_port, settings.currency) == ("shop", 8002, "EUR")
    assert settings.date_order == "month_first"
    assert load_settings().http_port == 8001


def test_settings_are_frozen() -> None:
    settings = load_settings()
    with pytest.raises(ValidationError):
        settings.http_port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("HTTP_PORT", "70000", "65535"),
        ("HTTP_PORT", "many", "integer"),
        ("CURRENCY", "pounds", "pattern"),
        ("DATE_ORDER", "year_first", "day_first"),
        ("TIME_ZONE", "Mars/Base", "IANA"),
        ("TIME_ZONE", "../etc", "IANA"),
        ("STORAGE_OPTIONS", "not json", "JSON"),
        ("STORAGE_OPTIONS", '{"AWS_REGION": 7}', "AWS_REGION"),
        ("LEASE_S", "1", "5"),
    ],
)
def test_a_wrong_value_names_its_variable_and_the_remedy(name: str, value: str, why: str) -> None:
    with temporary_environment(**{f"RETAIL_{name}": value}), pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert caught.value.where == f"RETAIL_{name}"
    assert why in caught.value.why
    assert caught.value.remedy


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_an_empty_variable_is_as_good_as_none(name: str) -> None:
    default = load_settings()
    with temporary_environment(**{f"RETAIL_{name.upper()}": ""}):
        assert load_settings() == default
    assert default.embedded_warehouse


def test_secrets_are_masked_wherever_settings_are_shown() -> None:
    options = {"AWS_SECRET_ACCESS_KEY": "hush-1"}
    settings = load_settings(warehouse_url="postgresql://u:hush-2@h/d", storage_options=options)
    shown = f"{settings.masked()} {settings!r} {settings} {Storage.of(settings)!r}"
    assert "hush" not in shown
    assert settings.masked()["storage_options"] == {"AWS_SECRET_ACCESS_KEY": "**********"}
    assert Storage.of(settings).options == options


def test_an_error_about_a_secret_does_not_print_it() -> None:
    with (
        temporary_environment(RETAIL_STORAGE_OPTIONS='{"AWS_SECRET_ACCESS_KEY": ["hush"]}'),
        pytest.raises(ConfigurationError) as caught,
    ):
        load_settings()
    assert "hush" not in "".join(traceback.format_exception(caught.value))


def test_home_and_lake_are_absolute_since_workers_stand_elsewhere(tmp_path: Path) -> None:
    assert load_settings(home="data").lake == str(tmp_path / "data/lake")
    assert load_settings(lake_uri="my lake/").lake == str(tmp_path / "my lake")
    assert load_settings(lake_uri="s3://bucket/lake/").lake == "s3://bucket/lake"
    assert load_settings(home="~/x").home == Path.home() / "x"


def test_temporary_environment_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETAIL_CURRENCY", "USD")
    with temporary_environment(RETAIL_CURRENCY="EUR", RETAIL_HTTP_PORT="9"):
        assert (load_settings().currency, load_settings().http_port) == ("EUR", 9)
    assert (load_settings().currency, load_settings().http_port) == ("USD", 8000)
