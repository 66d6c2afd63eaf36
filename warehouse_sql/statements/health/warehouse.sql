-- One row: what answers, and whether the migrations have run.
SELECT
    current_setting('server_version') AS server_version,
    to_regclass('gold.fact_sales') IS NOT NULL AND to_regclass('ops.publications') IS NOT NULL AS is_migrated
