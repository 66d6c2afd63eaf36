"""The schema's history for Alembic; `cluster.warehouse.migrate` runs it."""
