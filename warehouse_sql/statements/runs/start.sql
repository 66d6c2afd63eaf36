INSERT INTO ops.runs (run_id, command, started_at, status, steps)
VALUES (%(run_id)s, %(command)s, clock_timestamp(), 'running', '[]')
