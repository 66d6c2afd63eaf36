"""What the platform says of itself: publications, runs, and what the rules found. PostgreSQL only, schema `ops`."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ARRAY
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from warehouse_sql.tables.types import COUNT, DAY, INSTANT, KEY, TEXT, TOTAL


class Publication(SQLModel, table=True):
    """One row per publication; `data_version` is what every answer of the API names."""

    __tablename__ = "publications"
    __table_args__ = {"schema": "ops"}

    data_version: int = Field(primary_key=True, sa_type=KEY, sa_column_kwargs={"autoincrement": False})
    published_at: datetime = Field(sa_type=INSTANT)
    run_id: str = Field(sa_type=TEXT)
    tables: dict[str, Any] = Field(
        sa_type=JSONB, description="gold table → {version (Delta), rows (all), amount (string, all), changed (rows)}."
    )
    changed_dates: list[date] = Field(sa_type=ARRAY(DAY))
    changed_product_keys: list[int] = Field(sa_type=ARRAY(KEY))
    changed_customer_keys: list[int] = Field(sa_type=ARRAY(KEY))


class Run(SQLModel, table=True):
    """One row per run of a command that writes."""

    __tablename__ = "runs"
    __table_args__ = {"schema": "ops"}

    run_id: str = Field(primary_key=True, sa_type=TEXT)
    command: str = Field(sa_type=TEXT)
    started_at: datetime = Field(sa_type=INSTANT)
    ended_at: datetime | None = Field(None, sa_type=INSTANT)
    status: str = Field(sa_type=TEXT, description="running, succeeded or failed.")
    error: str | None = Field(None, sa_type=TEXT)
    steps: list[dict[str, Any]] = Field(sa_type=JSONB, description="Per step: counts, money, seconds.")


class RuleCount(SQLModel, table=True):
    """One row per rule or reason: how many lines of the published lake it holds for, and their money."""

    __tablename__ = "rule_counts"
    __table_args__ = {"schema": "ops"}

    rule_id: str = Field(primary_key=True, sa_type=TEXT)
    outcome: str = Field(primary_key=True, sa_type=TEXT, description="warned, rejected, merged or dead_letter.")
    line_count: int = Field(sa_type=COUNT)
    amount: Decimal | None = Field(None, sa_type=TOTAL, description="None where the lines have no readable money.")


class MartDeployment(SQLModel, table=True):
    """One row per deployment of the marts; the next one is compared with the last one's manifest."""

    __tablename__ = "mart_deployments"
    __table_args__ = {"schema": "ops"}

    deployment_id: int = Field(primary_key=True, sa_type=KEY, sa_column_kwargs={"autoincrement": False})
    deployed_at: datetime = Field(sa_type=INSTANT)
    project_hash: str = Field(sa_type=TEXT, description="Over the files of the dbt project and dbt's version.")
    manifest: dict[str, Any] = Field(sa_type=JSONB, description="dbt's manifest.json, which holds no address.")
