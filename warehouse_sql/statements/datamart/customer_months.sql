-- One row per month in which a customer has lines, oldest first.
SELECT
    to_char(fact.invoice_date, 'YYYY-MM') AS period,
    count(DISTINCT fact.invoice_no) FILTER (WHERE fact.is_sale) AS orders,
    sum(fact.total_amount) AS net,
    coalesce(sum(fact.total_amount) FILTER (WHERE fact.is_sale), 0) AS sales_revenue,
    count(*) AS lines,
    coalesce(sum(fact.quantity) FILTER (WHERE fact.is_sale), 0)::bigint AS units
FROM gold.fact_sales AS fact
INNER JOIN gold.dim_customers AS customer ON fact.customer_key = customer.customer_key
WHERE customer.customer_id = %(customer_id)s::text AND fact.customer_key <> -1
GROUP BY 1
ORDER BY 1
