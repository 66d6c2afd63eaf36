-- One row: what dbt said of the project that was deployed last; no row before the first deployment.
SELECT deployment.manifest
FROM ops.mart_deployments AS deployment
ORDER BY deployment.deployment_id DESC
LIMIT 1
