-- One row per outcome and rule: the lines that it holds for, and their money where it can be read.
SELECT
    rule_count.outcome,
    rule_count.rule_id,
    rule_count.line_count AS lines,
    rule_count.amount
FROM ops.rule_counts AS rule_count
ORDER BY rule_count.outcome ASC, rule_count.line_count DESC, rule_count.rule_id ASC
