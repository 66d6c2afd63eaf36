-- The last deployment holds no longer: the next command deploys everything again.
UPDATE ops.mart_deployments AS deployment
SET project_hash = ''
WHERE deployment.deployment_id = (SELECT max(newest.deployment_id) FROM ops.mart_deployments AS newest)
