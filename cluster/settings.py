"""Every setting, typed and frozen, read from `RETAIL_*` and `.env`; the only room that reads the environment.

Entry points build `Settings` once and hand it on; nothing reads it at import, and a worker gets it as an argument.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from cluster.errors import ConfigurationError

DateOrder = Literal["month_first", "day_first"]
JoinEngine = Literal["auto", "spark", "local"]


class Settings(BaseSettings):
    """The settings of one process; each field is the environment variable `RETAIL_<NAME>`."""

    model_config = SettingsConfigDict(
        env_prefix="RETAIL_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True,
        hide_input_in_errors=True,
    )  # fmt: skip

    home: Path = Field(Path(".retail"), description="Folder of all local state.")
    lake_uri: str = Field("", description="Lake folder or s3://, gs://, abfss:// URL; empty: <home>/lake.")
    storage_options: dict[str, SecretStr] = Field(
        default_factory=dict, description="Options of the object store as JSON, for instance AWS_ENDPOINT_URL."
    )
    warehouse_url: SecretStr | None = Field(None, description="postgresql:// URL; empty: the embedded PostgreSQL.")
    http_host: str = Field("127.0.0.1", description="Address that the API listens on.")
    http_port: int = Field(8000, ge=1, le=65535, description="Port that the API listens on.")
    date_order: DateOrder = Field("month_first", description="How 12/1/2010 is read: month_first or day_first.")
    column_aliases: Path | None = Field(None, description="TOML file with more column aliases.")
    source_system: str = Field("files", description="Name of the source system, kept with every line.")
    currency: str = Field("GBP", pattern=r"^[A-Z]{3}$", description="ISO 4217 code of all money.")
    time_zone: str = Field("Europe/London", description="IANA zone of the shop's local times.")
    num_cpus: int | None = Field(None, ge=1, description="CPUs of the local Ray; empty: all.")
    object_store_mb: int = Field(400, ge=80, description="Object store of the local Ray, MB.")
    dashboard_port: int = Field(
        8265, ge=0, le=65535, description="Port of the local Ray's dashboard; taken: a free one."
    )
    inbox: str = Field("", description="Files, folder, glob or URL that the daily job takes without --input.")
    range_bytes: int = Field(24_000_000, ge=1, description="Bytes of a source file that one task reads.")
    batch_rows: int = Field(1_000_000, ge=1, description="Lines refined at a time within a task.")
    bucket_rows: int = Field(1_000_000, ge=1, description="Lines that one matching task compares.")
    join: JoinEngine = Field("auto", description="Engine of the large joins: auto, spark or local.")
    spark_from_rows: int = Field(
        1_000_000_000,
        ge=0,
        description="Rows of a join (baskets: pairs of products) from which auto takes Spark.",
    )
    spark_min_executors: int = Field(2, ge=0, description="Executors that Spark keeps; a small Ray gives fewer.")
    spark_initial_executors: int = Field(4, ge=1, description="Executors that Spark starts with.")
    spark_max_executors: int = Field(20, ge=1, description="Most executors of Spark.")
    spark_executor_cores: int = Field(1, ge=1, description="CPUs of an executor.")
    spark_executor_memory_mb: int = Field(1024, ge=512, description="Heap of an executor, MB.")
    spark_executor_resource: str = Field(
        "",
        pattern=r"^\w*$",
        description="Custom resource of Ray of which an executor asks one, not CPUs.",
    )
    spark_master_resource: str = Field(
        "", pattern=r"^\w*$", description="Custom resource of Ray by which Spark's master is placed."
    )
    join_memory_mb: int = Field(2_000, ge=100, description="Memory of a local join, MB; what exceeds it goes to disk.")
    basket_max_products: int = Field(
        100, ge=2, description="Distinct products up to which an invoice counts as a basket."
    )
    basket_min_support: Decimal = Field(
        Decimal("0.002"), ge=0, le=1, description="Share of the baskets from which a pair of products is kept."
    )
    dbt: Path | None = Field(None, description="The command dbt; empty: the one in .dbt beside the environment.")
    kuberay_crds: Path | None = Field(
        None, description="Folder of KubeRay's CRDs for `retail cluster validate`; empty: ../shared/kuberay/crds."
    )
    lease_s: int = Field(600, ge=5, description="Seconds after which the lease of a silent writer expires.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("WARNING", description="Level of the log.")

    @field_validator("home")
    @classmethod
    def _absolute_home(cls, home: Path) -> Path:
        return home.expanduser().absolute()

    @field_validator("lake_uri")
    @classmethod
    def _absolute_lake(cls, uri: str) -> str:
        return uri if not uri or "://" in uri else str(Path(uri).expanduser().absolute())

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"unknown time zone {zone!r}; use an IANA name such as Europe/London") from error
        return zone

    @property
    def lake(self) -> str:
        """The lake's folder or URL, without a slash at the end."""
        return (self.lake_uri or str(self.home / "lake")).rstrip("/")

    @property
    def embedded_warehouse(self) -> bool:
        """Whether the warehouse is the embedded PostgreSQL of this home."""
        return self.warehouse_url is None

    def masked(self) -> dict[str, Any]:
        """Give every setting for showing, secrets as `**********`."""
        return self.model_dump(mode="json") | {"lake": self.lake}


def load_settings(**overrides: Any) -> Settings:
    """Read the settings of this process.

    Args:
        **overrides: Fields that win over the environment; None leaves the environment's value.

    Returns:
        The frozen settings.

    Raises:
        ConfigurationError: A value has the wrong form.
    """
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        inside = "".join(f"{part}: " for part in first["loc"][1:])
        raise _wrong_value(str(first["loc"][0]), inside + first["msg"]) from error
    except SettingsError as error:
        name = next((name for name in Settings.model_fields if f'"{name}"' in str(error)), "")
        raise _wrong_value(name, "it is not JSON") from error


def _wrong_value(name: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        "A setting has a wrong value",
        where=f"RETAIL_{name.upper()}",
        why=why,
        remedy="Correct it, or unset it for the default.",
    )


def ray_address() -> str | None:
    """Give `RAY_ADDRESS`, which Ray sets inside a submitted job and a user sets to name a running cluster."""
    return os.environ.get("RAY_ADDRESS") or None


def set_environment(values: dict[str, str]) -> None:
    """Set variables that another program reads at its start, unless the user has set them.

    Args:
        values: Name to value.
    """
    for name, value in values.items():
        os.environ.setdefault(name, value)


def child_environment(**extra: str) -> dict[str, str]:
    """Give the environment of a child process: ours with `extra`."""
    return {**os.environ, **extra}


@contextmanager
def temporary_environment(**values: str) -> Iterator[None]:
    """Set variables for the length of a block, for libraries that read the environment only."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
