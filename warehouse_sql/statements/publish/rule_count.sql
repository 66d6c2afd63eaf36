INSERT INTO ops.rule_counts (rule_id, outcome, line_count, amount)
VALUES (%(rule_id)s, %(outcome)s, %(line_count)s, %(amount)s)
