-- Grouping by invoice first makes the distinct counts cheap.
WITH by_invoice AS (
    SELECT
        fact.invoice_date,
        fact.country,
        fact.invoice_no,
        bool_or(fact.is_sale) AS has_sale,
        sum(fact.total_amount) FILTER (WHERE fact.is_sale) AS revenue
    FROM {{ source('gold', 'fact_sales') }} AS fact
    GROUP BY fact.invoice_date, fact.country, fact.invoice_no
),

by_day AS (
    SELECT
        by_invoice.invoice_date AS sales_date,
        by_invoice.country,
        count(*) FILTER (WHERE by_invoice.has_sale) AS transaction_count,
        coalesce(sum(by_invoice.revenue), 0) AS daily_revenue
    FROM by_invoice
    GROUP BY by_invoice.invoice_date, by_invoice.country
)

SELECT
    by_day.sales_date,
    by_day.country,
    by_day.transaction_count,
    by_day.daily_revenue::numeric(20, 4) AS daily_revenue,
    (by_day.daily_revenue / nullif(by_day.transaction_count, 0))::numeric(14, 4) AS avg_transaction_value
FROM by_day
