-- One row per period (and member: country or stock code; '' without grouping) after (after_period, after_member).
-- Grouping by invoice first makes the distinct counts cheap. The planner folds the CASE over the bound grouping and
-- drops the join to products where it is not needed.
WITH lines AS (
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

invoices AS (
    SELECT
        lines.period_start,
        lines.member,
        lines.invoice_no,
        lines.customer_key,
        count(*) AS line_count,
        count(*) FILTER (WHERE lines.is_sale) AS sale_line_count,
        count(*) FILTER (WHERE lines.is_cancelled) AS cancelled_line_count,
        sum(lines.total_amount) AS net,
        sum(lines.total_amount) FILTER (WHERE lines.is_sale) AS sales_revenue,
        sum(lines.total_amount) FILTER (WHERE lines.is_cancelled) AS cancelled_value,
        sum(lines.quantity) FILTER (WHERE lines.is_sale) AS unit_count
    FROM lines
    WHERE
        %(after_period)s::date IS NULL
        OR (lines.period_start, lines.member) > (%(after_period)s::date, %(after_member)s::text)
    GROUP BY lines.period_start, lines.member, lines.invoice_no, lines.customer_key
)

SELECT
    invoices.period_start,
    nullif(invoices.member, '') AS member,
    sum(invoices.net) AS net,
    coalesce(sum(invoices.sales_revenue), 0) AS sales_revenue,
    sum(invoices.line_count)::bigint AS line_count,
    sum(invoices.sale_line_count)::bigint AS sale_line_count,
    count(DISTINCT invoices.invoice_no) FILTER (WHERE invoices.sale_line_count > 0) AS sale_invoice_count,
    count(DISTINCT customer.customer_id) FILTER (
        WHERE invoices.sale_line_count > 0 AND invoices.customer_key <> -1
    ) AS customer_count,
    coalesce(sum(invoices.unit_count), 0)::bigint AS unit_count,
    sum(invoices.cancelled_line_count)::bigint AS cancelled_line_count,
    coalesce(sum(invoices.cancelled_value), 0) AS cancelled_value
FROM invoices
INNER JOIN gold.dim_customers AS customer ON invoices.customer_key = customer.customer_key
GROUP BY invoices.period_start, invoices.member
ORDER BY invoices.period_start, invoices.member
LIMIT %(limit)s::bigint
