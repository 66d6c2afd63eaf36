"""What Alembic runs: the migrations of the table classes, on the connection that it is given."""

from collections.abc import Mapping
from typing import Any

from alembic import context
from sqlmodel import SQLModel

import warehouse_sql.tables.ops  # noqa: F401 - both register their tables

SCHEMAS = ("gold", "ops")
PARTITIONS = "fact_sales_"


def include_name(name: str | None, kind: str, parents: Mapping[str, Any]) -> bool:
    """Compare our schemas only, and leave out the partitions, which publish makes."""
    if kind == "schema":
        return name in SCHEMAS
    return not (kind == "table" and (name or "").startswith(PARTITIONS))


def run() -> None:
    """Run the migrations on the connection in the configuration's attributes."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=SQLModel.metadata,
        include_schemas=True,
        include_name=include_name,  # type: ignore[arg-type]  # narrower than the stub's union of literals
        version_table_schema="public",
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
