-- The deployment that holds from now on.
INSERT INTO ops.mart_deployments (deployment_id, deployed_at, project_hash, manifest)
SELECT
    coalesce(max(deployment.deployment_id), 0) + 1,
    clock_timestamp(),
    %(project_hash)s::text,
    %(manifest)s::jsonb
FROM ops.mart_deployments AS deployment
