-- One row per materialized view and table of the schemas whose names match.
SELECT
    space.nspname AS schema_name,
    relation.relname AS relation_name,
    relation.relkind = 'm' AS is_mart
FROM pg_catalog.pg_class AS relation
INNER JOIN pg_catalog.pg_namespace AS space ON relation.relnamespace = space.oid
WHERE space.nspname ~ %(schemas)s::text AND relation.relkind IN ('m', 'r')
ORDER BY space.nspname, relation.relname
