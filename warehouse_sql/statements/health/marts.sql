-- One row: which deployment of the marts answers (null: none yet).
SELECT max(deployment.deployment_id) AS deployment_id
FROM ops.mart_deployments AS deployment
