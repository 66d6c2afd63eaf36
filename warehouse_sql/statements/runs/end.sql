UPDATE ops.runs
SET ended_at = clock_timestamp(), status = %(status)s, error = %(error)s, steps = %(steps)s
WHERE run_id = %(run_id)s
