-- One row per mart and relation that it reads, directly or through plain views, from PostgreSQL's own dependencies.
WITH RECURSIVE reads AS (
    SELECT
        rule.ev_class AS reader,
        dependency.refobjid AS input
    FROM pg_catalog.pg_rewrite AS rule
    INNER JOIN pg_catalog.pg_depend AS dependency
        ON
            rule.oid = dependency.objid
            AND dependency.classid = 'pg_catalog.pg_rewrite'::regclass
            AND dependency.refclassid = 'pg_catalog.pg_class'::regclass
            AND rule.ev_class <> dependency.refobjid
),

inputs AS (
    SELECT
        mart.oid AS mart,
        reads.input
    FROM pg_catalog.pg_class AS mart
    INNER JOIN pg_catalog.pg_namespace AS space ON mart.relnamespace = space.oid
    LEFT JOIN reads ON mart.oid = reads.reader
    WHERE space.nspname = 'marts' AND mart.relkind = 'm'
    UNION
    SELECT
        inputs.mart,
        reads.input
    FROM inputs
    INNER JOIN pg_catalog.pg_class AS between_them ON inputs.input = between_them.oid AND between_them.relkind = 'v'
    INNER JOIN reads ON between_them.oid = reads.reader
)

SELECT
    mart.relname AS mart,
    mart.relispopulated AS is_populated,
    space.nspname || '.' || input.relname AS input
FROM inputs
INNER JOIN pg_catalog.pg_class AS mart ON inputs.mart = mart.oid
LEFT JOIN pg_catalog.pg_class AS input ON inputs.input = input.oid
LEFT JOIN pg_catalog.pg_namespace AS space ON input.relnamespace = space.oid
ORDER BY mart.relname, input
