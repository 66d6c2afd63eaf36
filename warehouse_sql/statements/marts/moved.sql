-- One row per named table, or per partition of it: rows that this transaction moved, and rows that statistics know.
SELECT
    changed.table_name,
    space.nspname AS part_schema,
    part.relname AS part_name,
    coalesce(moved.n_tup_ins + moved.n_tup_upd + moved.n_tup_del, 0)::bigint AS moved_rows,
    greatest(part.reltuples, 0)::bigint AS known_rows
FROM unnest(%(tables)s::text[]) AS changed (table_name)
LEFT JOIN pg_catalog.pg_partition_tree(changed.table_name::regclass) AS tree ON tree.isleaf
INNER JOIN pg_catalog.pg_class AS part ON part.oid = coalesce(tree.relid, changed.table_name::regclass)
INNER JOIN pg_catalog.pg_namespace AS space ON part.relnamespace = space.oid
LEFT JOIN pg_catalog.pg_stat_xact_user_tables AS moved ON part.oid = moved.relid
ORDER BY changed.table_name, part.relname
