DELETE FROM ops.rule_counts
