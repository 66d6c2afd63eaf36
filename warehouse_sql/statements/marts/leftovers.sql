-- One row per schema that a deployment left behind when it was killed.
SELECT space.nspname AS schema_name
FROM pg_catalog.pg_namespace AS space
WHERE space.nspname ~ '^(marts|seeds)_next_[0-9a-f]{8}$'
