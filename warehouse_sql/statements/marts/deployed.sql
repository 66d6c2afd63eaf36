-- One row: the last deployment, and which of its marts and seeds are gone; no row before the first.
SELECT
    deployment.project_hash,
    array(
        SELECT node.value ->> 'alias'
        FROM jsonb_each(deployment.manifest -> 'nodes') AS node
        WHERE
            node.value ->> 'resource_type' IN ('model', 'seed')
            AND to_regclass(format('%%I.%%I', node.value ->> 'schema', node.value ->> 'alias')) IS NULL
    ) AS missing
FROM ops.mart_deployments AS deployment
ORDER BY deployment.deployment_id DESC
LIMIT 1
