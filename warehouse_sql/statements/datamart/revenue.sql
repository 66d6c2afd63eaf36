-- One row per period (and member: country or stock code; '' without grouping) after (after_period, after_member).
-- Grouping by invoice first makes the distinct counts cheap. The planner folds the CASE over the bound grouping and
-- drops the join to products where it is not needed.
WITH facts AS (
    SELECT
        fact.invoice_no,
        fact.customer_key,
        fact.quantity,
        fact.total_amount,
        fact.is_sale,
        date_trunc(%(granularity)s::text, fact.invoice_date::timestamp)::date AS period_start,
        CASE %(group_by)s::text
            WHEN 'country' THEN fact.country
            WHEN 'product' THEN product.stock_code
            ELSE ''
        END AS member,
        fact.invoice_no LIKE 'C%%' AS is_cancelled
    FROM gold.fact_sales AS fact
    LEFT JOIN gold.dim_products AS product ON fact.product_key = product.product_key
    WHERE
        fact.invoice_date BETWEEN greatest(%(from_date)s::date, %(after_period)s::date) AND %(to_date)s::date
),

by_invoice AS (
    SELECT
        facts.period_start,
        facts.member,
        facts.invoice_no,
        facts.customer_key,
        count(*) AS lines,
        count(*) FILTER (WHERE facts.is_sale) AS sale_lines,
        count(*) FILTER (WHERE facts.is_cancelled) AS cancelled_lines,
        sum(facts.total_amount) AS net,
        sum(facts.total_amount) FILTER (WHERE facts.is_sale) AS sales_revenue,
        sum(facts.total_amount) FILTER (WHERE facts.is_cancelled) AS cancelled_value,
        sum(facts.quantity) FILTER (WHERE facts.is_sale) AS units
    FROM facts
    WHERE
        %(after_period)s::date IS NULL
        OR (facts.period_start, facts.member) > (%(after_period)s::date, %(after_member)s::text)
    GROUP BY facts.period_start, facts.member, facts.invoice_no, facts.customer_key
)

SELECT
    by_invoice.period_start,
    by_invoice.member,
    to_char(
        by_invoice.period_start,
        CASE %(granularity)s::text WHEN 'week' THEN 'IYYY-"W"IW' WHEN 'month' THEN 'YYYY-MM' ELSE 'YYYY-MM-DD' END
    ) AS period,
    CASE %(group_by)s::text WHEN 'country' THEN by_invoice.member END AS country,
    CASE %(group_by)s::text WHEN 'product' THEN by_invoice.member END AS stock_code,
    sum(by_invoice.net) AS net,
    coalesce(sum(by_invoice.sales_revenue), 0) AS sales_revenue,
    sum(by_invoice.lines)::bigint AS lines,
    sum(by_invoice.sale_lines)::bigint AS sale_lines,
    count(DISTINCT by_invoice.invoice_no) FILTER (WHERE by_invoice.sale_lines > 0) AS sale_invoices,
    count(DISTINCT customer.customer_id) FILTER (
        WHERE by_invoice.sale_lines > 0 AND by_invoice.customer_key <> -1
    ) AS customers,
    coalesce(sum(by_invoice.units), 0)::bigint AS units,
    sum(by_invoice.cancelled_lines)::bigint AS cancelled_lines,
    coalesce(sum(by_invoice.cancelled_value), 0) AS cancelled_value
FROM by_invoice
INNER JOIN gold.dim_customers AS customer ON by_invoice.customer_key = customer.customer_key
GROUP BY by_invoice.period_start, by_invoice.member
ORDER BY by_invoice.period_start, by_invoice.member
LIMIT %(limit)s::bigint
