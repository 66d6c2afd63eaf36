-- The deployment that holds from now on.
INSERT INTO ops.mart_deployments (deployment_id, deployed_at, project_hash, manifest)
SELECT
    coalesce(max(deployment.deployment_id), 0) + 1 AS deployment_id,
    clock_timestamp() AS deployed_at,
    %(project_hash)s::text AS project_hash,
    %(manifest)s::jsonb AS manifest
FROM ops.mart_deployments AS deployment
