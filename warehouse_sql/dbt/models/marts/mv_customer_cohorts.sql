-- Guests have no rows in customer_monthly, but their lines count for what the last published month is.
WITH purchases AS (
    SELECT
        customer.customer_id,
        customer.month,
        customer.gross,
        min(customer.month) OVER (PARTITION BY customer.customer_id) AS cohort
    FROM {{ source('gold', 'customer_monthly') }} AS customer
    WHERE customer.orders > 0
),

by_month AS (
    SELECT
        purchases.cohort,
        purchases.month,
        count(*) AS active_customers,
        sum(purchases.gross) AS revenue
    FROM purchases
    GROUP BY purchases.cohort, purchases.month
),

last_month AS (
    SELECT date_trunc('month', max(fact.invoice_date)::timestamp) AS month
    FROM {{ source('gold', 'fact_sales') }} AS fact
),

grid AS (
    SELECT
        cohorts.cohort,
        months.month::date AS month,
        (row_number() OVER (PARTITION BY cohorts.cohort ORDER BY months.month) - 1)::integer AS month_index
    FROM (SELECT DISTINCT by_month.cohort FROM by_month) AS cohorts
    CROSS JOIN last_month
    CROSS JOIN generate_series(cohorts.cohort::timestamp, last_month.month, '1 month') AS months (month)
)

SELECT
    grid.cohort,
    grid.month_index,
    coalesce(by_month.active_customers, 0) AS active_customers,
    coalesce(by_month.revenue, 0)::numeric(20, 4) AS revenue,
    (sum(coalesce(by_month.revenue, 0)) OVER (PARTITION BY grid.cohort ORDER BY grid.month_index))::numeric(20, 4)
        AS cumulative_revenue
FROM grid
LEFT JOIN by_month ON grid.cohort = by_month.cohort AND grid.month = by_month.month
