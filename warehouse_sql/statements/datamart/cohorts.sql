-- One row per cohort and month since, from the cohort's own (month_index 0) to the last of the data.
WITH extent AS (
    SELECT
        min(fact.invoice_date) AS first_date,
        max(fact.invoice_date) AS last_date
    FROM gold.fact_sales AS fact
),

grid AS (
    SELECT
        cohorts.cohort,
        cohorts.month_index,
        cohorts.active_customers,
        cohorts.revenue,
        cohorts.cumulative_revenue,
        (cohorts.cohort + make_interval(months => cohorts.month_index))::date AS first_day,
        (cohorts.cohort + make_interval(months => cohorts.month_index + 1, days => -1))::date AS last_day,
        first_value(cohorts.active_customers) OVER (PARTITION BY cohorts.cohort ORDER BY cohorts.month_index) AS size
    FROM marts.mv_customer_cohorts AS cohorts
)

SELECT
    to_char(grid.cohort, 'YYYY-MM') AS cohort,
    grid.size,
    grid.month_index,
    to_char(grid.first_day, 'YYYY-MM') AS month,
    extent.first_date <= grid.first_day AND extent.last_date >= grid.last_day AS complete,
    grid.active_customers,
    round(grid.active_customers::numeric / nullif(grid.size, 0), 4) AS retention,
    grid.revenue,
    grid.cumulative_revenue
FROM grid
CROSS JOIN extent
ORDER BY grid.cohort, grid.month_index
