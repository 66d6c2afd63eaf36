-- One row per named customer and month with lines. Grouping by invoice first makes the distinct count of orders cheap,
-- and spreads a customer who has very many lines over many tasks.
WITH by_invoice AS (
    SELECT
        customer.customer_id,
        CAST(DATE_TRUNC('MONTH', fact.invoice_date) AS DATE) AS month,
        fact.invoice_no,
        SUM(fact.total_amount) AS net,
        SUM(CASE WHEN fact.is_sale THEN fact.total_amount ELSE 0 END) AS gross,
        SUM(CASE WHEN fact.is_return THEN fact.total_amount ELSE 0 END) AS returned,
        SUM(CASE WHEN fact.is_sale THEN fact.quantity ELSE 0 END) AS units,
        MAX(CASE WHEN fact.is_sale THEN 1 ELSE 0 END) AS orders,
        MIN(CASE WHEN fact.is_sale THEN fact.invoice_date END) AS first_purchase_date,
        MAX(CASE WHEN fact.is_sale THEN fact.invoice_date END) AS last_purchase_date
    FROM fact_sales AS fact
    INNER JOIN dim_customers AS customer ON fact.customer_key = customer.customer_key
    WHERE fact.customer_key <> :guest_key
    GROUP BY customer.customer_id, CAST(DATE_TRUNC('MONTH', fact.invoice_date) AS DATE), fact.invoice_no
)

SELECT
    customer_id,
    month,
    CAST(SUM(orders) AS BIGINT) AS orders,
    CAST(SUM(units) AS BIGINT) AS units,
    CAST(SUM(net) AS DECIMAL(20, 4)) AS net,
    CAST(SUM(gross) AS DECIMAL(20, 4)) AS gross,
    CAST(-SUM(returned) AS DECIMAL(20, 4)) AS returns,
    MIN(first_purchase_date) AS first_purchase_date,
    MAX(last_purchase_date) AS last_purchase_date,
    SUBSTR(CAST(month AS STRING), 1, 7) AS invoice_month
FROM by_invoice
GROUP BY customer_id, month
