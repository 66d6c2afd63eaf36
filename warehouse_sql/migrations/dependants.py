"""What a migration calls before it changes a table that marts read; it knows no dbt.

PostgreSQL refuses to change the type of a column that a materialized view reads. The order is: drop the marts, those
that nothing reads first; change the table; commit; and the command that migrated deploys the marts again.
"""

from sqlalchemy import Connection

from warehouse_sql.statements import statement


def drop_dependants(connection: Connection, table: str) -> list[str]:
    """Drop the marts that read a table, directly or through others, and mark the deployment as gone.

    Args:
        connection: In the migration's transaction: `op.get_bind()`.
        table: With its schema, such as `gold.fact_sales`.

    Returns:
        The marts with their schema, in the order in which they were dropped.
    """
    rows = connection.exec_driver_sql(statement("marts/dependants"), {"table": table}).all()
    quote = connection.dialect.identifier_preparer.quote
    marts = [f"{quote(schema)}.{quote(mart)}" for schema, mart in rows]
    for mart in marts:
        connection.exec_driver_sql(f"DROP MATERIALIZED VIEW {mart}")
    if marts:
        connection.exec_driver_sql(statement("marts/forget"))
    return marts
