-- One row per month from the first line's to the last line's, oldest first, those without lines with zeros. Sums come
-- from the mart; customers are counted where one row is one customer's month, so no distinct count is added up.
WITH extent AS (
    SELECT
        min(fact.invoice_date) AS first_date,
        max(fact.invoice_date) AS last_date
    FROM gold.fact_sales AS fact
),

months AS (
    SELECT
        series.month_start::date AS first_day,
        (series.month_start + interval '1 month - 1 day')::date AS last_day,
        extent.first_date <= series.month_start::date AS is_begun,
        extent.last_date >= (series.month_start + interval '1 month - 1 day')::date AS is_over
    FROM extent
    CROSS JOIN LATERAL generate_series(
        date_trunc('month', extent.first_date::timestamp),
        date_trunc('month', extent.last_date::timestamp),
        interval '1 month'
    ) AS series (month_start)
),

buyers AS (
    SELECT
        customer_month.month,
        count(*) AS active_customers
    FROM gold.customer_monthly AS customer_month
    WHERE customer_month.orders > 0
    GROUP BY customer_month.month
),

figures AS (
    SELECT
        months.first_day,
        months.is_begun AND months.is_over AS complete,
        coalesce(sum(revenue.sales_revenue), 0) AS sales_revenue,
        coalesce(sum(revenue.net), 0) AS net,
        coalesce(sum(revenue.units), 0)::bigint AS units,
        coalesce(sum(revenue.lines), 0)::bigint AS lines
    FROM months
    LEFT JOIN marts.mv_country_revenue AS revenue ON months.first_day = revenue.month
    GROUP BY months.first_day, months.is_begun, months.is_over
),

-- Every month has a row, so the twelfth row before is the same month of the year before.
compared AS (
    SELECT
        figures.*,
        nullif(lag(figures.sales_revenue) OVER by_month, 0) AS month_before_sales,
        nullif(lag(figures.sales_revenue, 12) OVER by_month, 0) AS year_before_sales,
        nullif(lag(figures.net) OVER by_month, 0) AS month_before_net,
        nullif(lag(figures.net, 12) OVER by_month, 0) AS year_before_net
    FROM figures
    WINDOW by_month AS (ORDER BY figures.first_day)
)

SELECT
    to_char(compared.first_day, 'YYYY-MM') AS month,
    compared.complete,
    compared.sales_revenue,
    round((compared.sales_revenue - compared.month_before_sales) / abs(compared.month_before_sales), 4)
        AS sales_revenue_on_previous_month,
    round((compared.sales_revenue - compared.year_before_sales) / abs(compared.year_before_sales), 4)
        AS sales_revenue_on_previous_year,
    compared.net,
    round((compared.net - compared.month_before_net) / abs(compared.month_before_net), 4) AS net_on_previous_month,
    round((compared.net - compared.year_before_net) / abs(compared.year_before_net), 4) AS net_on_previous_year,
    compared.units,
    compared.lines,
    coalesce(buyers.active_customers, 0) AS active_customers
FROM compared
LEFT JOIN buyers ON compared.first_day = buyers.month
ORDER BY compared.first_day
