SELECT
    run_id,
    command,
    started_at,
    ended_at,
    status,
    error,
    steps
FROM ops.runs
ORDER BY started_at DESC
LIMIT %(limit)s
