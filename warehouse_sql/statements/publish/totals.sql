SELECT
    count(*) AS line_count,
    coalesce(sum(total_amount), 0) AS amount,
    (SELECT count(*) FROM gold.fact_sales_default) AS outside_count
FROM gold.fact_sales
