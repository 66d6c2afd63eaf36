"""The door to PostgreSQL: which server, a connection, the schema; knows no statement.

Only entry points call `running_warehouse`; workers and replicas connect to what runs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from typing import Any

import psycopg

from cluster.embedded_postgres import EmbeddedPostgres
from cluster.errors import ConfigurationError, RetryableError
from cluster.settings import Settings

CONNECT_TIMEOUT_S = 5
MIGRATION_LOCK = 7_263_001
"""Advisory lock of PostgreSQL that serialises migrations."""


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
        RetryableError: It does not answer, or refuses.
    """
    try:
        return psycopg.connect(url, connect_timeout=CONNECT_TIMEOUT_S, prepare_threshold=None, **options)
    except psycopg.OperationalError as error:
        raise RetryableError(
            "The warehouse does not answer", where=masked(url), why=str(error).strip().splitlines()[-1],
            remedy="Start the server, or correct RETAIL_WAREHOUSE_URL.",
        ) from error  # fmt: skip


def masked(url: str) -> str:
    """Give a URL without its password."""
    head, _, rest = url.rpartition("@")
    return f"{head.rpartition(':')[0]}:***@{rest}" if head.count(":") > 1 else url


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


def _alembic(url: str, act: Any) -> None:
    from alembic.config import Config
    from sqlalchemy import create_engine, text

    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    try:
        with as_file(files("warehouse_sql") / "migrations") as scripts, engine.connect() as connection:
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
            config = Config()
            config.set_main_option("script_location", str(scripts))
            config.attributes["connection"] = connection
            act(config)
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
            connection.commit()
    finally:
        engine.dispose()
