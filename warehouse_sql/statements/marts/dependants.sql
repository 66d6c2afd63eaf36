-- One row per mart that reads a table, directly or through others, those that nothing reads first.
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

dependants AS (
    SELECT
        reads.reader,
        1 AS distance
    FROM reads
    WHERE reads.input = %(table)s::text::regclass
    UNION
    SELECT
        reads.reader,
        dependants.distance + 1 AS distance
    FROM dependants
    INNER JOIN reads ON dependants.reader = reads.input
)

SELECT
    space.nspname AS schema_name,
    mart.relname AS mart
FROM dependants
INNER JOIN pg_catalog.pg_class AS mart ON dependants.reader = mart.oid AND mart.relkind = 'm'
INNER JOIN pg_catalog.pg_namespace AS space ON mart.relnamespace = space.oid
WHERE space.nspname ~ '^marts(_next_[0-9a-f]{8})?$'
GROUP BY space.nspname, mart.relname
ORDER BY max(dependants.distance) DESC, space.nspname ASC, mart.relname ASC
