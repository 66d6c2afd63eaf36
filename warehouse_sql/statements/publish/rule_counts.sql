SELECT
    rule_id,
    outcome,
    line_count,
    amount
FROM ops.rule_counts
