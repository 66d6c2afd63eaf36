SELECT count(*) AS outside_count
FROM gold.fact_sales_default
