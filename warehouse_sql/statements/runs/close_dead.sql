UPDATE ops.runs
SET ended_at = clock_timestamp(), status = 'failed', error = 'The process ended before the run did.'
WHERE status = 'running'
