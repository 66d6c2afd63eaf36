"""The door to PostgreSQL: which server, a connection, the schema; knows no statement.

Only entry points call `running_warehouse`; workers and replicas connect to what runs.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg

from cluster.embedded_postgres import EmbeddedPostgres
from cluster.errors import ConfigurationError, RetryableError
from cluster.settings import Settings

if TYPE_CHECKING:
    from alembic.config import Config

Result = TypeVar("Result")
CONNECT_TIMEOUT_S = 5
MIGRATION_LOCK = 7_263_001
"""Advisory lock of PostgreSQL that serialises migrations."""
LOCK_ATTEMPTS, LOCK_TIMEOUT_S = 20, 0.5
"""Below PostgreSQL's deadlock_timeout of a second: the writer gives way, never a reader."""
PUBLISH_LOCK = 7_263_002
"""Advisory lock of PostgreSQL: one publication or deployment of marts at a time."""


def warehouse_url(settings: Settings) -> str:
    """Give the URL of the warehouse, which must be running.

    Args:
        settings: `warehouse_url`, or the home of the embedded one.

    Returns:
        A `postgresql://` URL.

    Raises:
        ConfigurationError: The embedded server does not run.
    """
    if settings.warehouse_url is not None:
        return settings.warehouse_url.get_secret_value()
    url = EmbeddedPostgres(settings.home).running_url()
    if url is None:
        raise ConfigurationError(
            "The warehouse does not run", where=str(settings.home),
            why="no embedded PostgreSQL of this home answers, and RETAIL_WAREHOUSE_URL is not set",
            remedy="Start it with `retail serve` or `make demo`, or set RETAIL_WAREHOUSE_URL.",
        )  # fmt: skip
    return url


@contextmanager
def running_warehouse(settings: Settings) -> Iterator[str]:
    """Have a running warehouse for the length of a block; for entry points only.

    Args:
        settings: `warehouse_url`, or the home of the embedded one.

    Yields:
        Its URL.

    Raises:
        RetryableError: The server that is set does not answer.
    """
    if settings.warehouse_url is None:
        with EmbeddedPostgres(settings.home).running() as url:
            yield url
        return
    url = settings.warehouse_url.get_secret_value()
    connect(url).close()
    yield url


def connect(url: str, **options: Any) -> psycopg.Connection[Any]:
    """Connect; no server-side prepared statements, so that a pooler may stand between.

    Args:
        url: The warehouse.
        **options: Of `psycopg.connect`.

    Returns:
        The connection.

    Raises:
        ConfigurationError: The URL has the wrong form.
        RetryableError: It does not answer, or refuses.
    """
    try:
        return psycopg.connect(url, connect_timeout=CONNECT_TIMEOUT_S, prepare_threshold=None, **options)
    except psycopg.ProgrammingError:
        # From None: libpq repeats the part that it does not understand, which may be the password.
        raise ConfigurationError(
            "The address of the warehouse has the wrong form", where="RETAIL_WAREHOUSE_URL",
            remedy="Write it as postgresql://user:password@host:5432/database, special characters as %XX.",
        ) from None  # fmt: skip
    except psycopg.OperationalError as error:
        raise RetryableError(
            "The warehouse does not answer", where=masked(url), why=str(error).strip().partition("\n")[0],
            remedy="Start the server, or correct RETAIL_WAREHOUSE_URL.",
        ) from error  # fmt: skip


def giving_way(connection: psycopg.Connection[Any], act: Callable[[], Result]) -> Result:
    """Do what needs a lock that readers mind in a transaction of its own, which gives way to them and tries again.

    Args:
        connection: Not in a transaction.
        act: What to do; it may be begun more than once.

    Returns:
        What it gives.

    Raises:
        psycopg.errors.LockNotAvailable: Readers held on for all attempts.
    """
    for attempt in range(1, LOCK_ATTEMPTS + 1):
        try:
            with connection.transaction():
                connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S}s'".encode())
                return act()
        except psycopg.errors.LockNotAvailable:
            if attempt == LOCK_ATTEMPTS:
                raise
            time.sleep(LOCK_TIMEOUT_S)  # readers that queued behind the attempt go first
    raise AssertionError


def masked(url: str) -> str:
    """Give a URL without its password, wherever that stands."""
    without = re.sub(r"(://[^:/?@]*):.*@", r"\1:***@", url)
    return re.sub(r"(password\s*=\s*)('[^']*'|[^&\s]+)", r"\1***", without)


def migrate(url: str, revision: str = "head") -> None:
    """Bring the schema up to a revision; one migration at a time, nothing to do at the newest.

    Args:
        url: The warehouse.
        revision: Alembic revision.
    """
    from alembic import command

    _alembic(url, lambda config: command.upgrade(config, revision))


def downgrade(url: str, revision: str) -> None:
    """Take the schema down to a revision; `base` removes it.

    Args:
        url: The warehouse.
        revision: Alembic revision.
    """
    from alembic import command

    _alembic(url, lambda config: command.downgrade(config, revision))


def _alembic(url: str, act: "Callable[[Config], None]") -> None:
    """Run an Alembic command in one transaction, which holds the lock until what it did can be seen."""
    from alembic.config import Config
    from sqlalchemy import NullPool, create_engine, text

    # The driver reads the URL, not SQLAlchemy: every form that libpq knows works, and errors are ours.
    engine = create_engine("postgresql+psycopg://", creator=lambda: connect(url), poolclass=NullPool)
    with as_file(files("warehouse_sql") / "migrations") as scripts, engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        config = Config()
        config.set_main_option("script_location", str(scripts))
        config.attributes["connection"] = connection
        act(config)
