"""Without namespaces the tests are skipped with the reason on a laptop, and fail in CI."""

from collections.abc import Iterator

import pytest

from tests.kube import namespaces


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine without any program."""
    namespaces.why_not.cache_clear()
    monkeypatch.setenv("PATH", "/nowhere")
    yield
    namespaces.why_not.cache_clear()


@pytest.mark.usefixtures("bare_machine")
def test_a_laptop_skips_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="needs unshare"):
        namespaces.require_namespaces()


@pytest.mark.usefixtures("bare_machine")
def test_ci_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="needs unshare"):
        namespaces.require_namespaces()
