SELECT
    count(*) AS line_count,
    coalesce(sum(fact.total_amount), 0) AS amount,
    coalesce(sum(fact.total_amount) FILTER (WHERE fact.customer_key <> -1), 0) AS named_amount,
    (SELECT coalesce(sum(monthly.net), 0) FROM gold.customer_monthly AS monthly) AS monthly_net,
    (SELECT count(*) FROM gold.fact_sales_default) AS outside_count
FROM gold.fact_sales AS fact
