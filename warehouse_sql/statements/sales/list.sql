-- One row per invoice line, oldest first, after the position (after_date, after_key).
-- The dates are always bound, so that the planner leaves out the partitions outside them. The page is cut before
-- the joins, hence the filters by key: a natural key stands for the keys of all its versions.
WITH page AS (
    SELECT fact.*
    FROM gold.fact_sales AS fact
    WHERE
        fact.invoice_date BETWEEN greatest(%(from_date)s::date, %(after_date)s::date) AND %(to_date)s::date
        AND (
            %(after_date)s::date IS NULL
            OR (fact.invoice_date, fact.sale_key) > (%(after_date)s::date, %(after_key)s::bigint)
        )
        AND (%(country)s::text IS NULL OR fact.country = %(country)s::text)
        AND (%(line_type)s::text IS NULL OR fact.line_type = %(line_type)s::text)
        AND (
            %(stock_code)s::text IS NULL
            OR fact.product_key = any(
                array(
                    SELECT version.product_key
                    FROM gold.dim_products AS version
                    WHERE version.stock_code = %(stock_code)s::text
                )
            )
        )
        AND (
            %(customer_id)s::text IS NULL
            OR fact.customer_key = any(
                array(
                    SELECT version.customer_key
                    FROM gold.dim_customers AS version
                    WHERE version.customer_id = %(customer_id)s::text
                )
            )
        )
    ORDER BY fact.invoice_date, fact.sale_key
    LIMIT %(limit)s::bigint
)

SELECT
    page.sale_key,
    page.line_id,
    page.invoice_no,
    page.invoice_date,
    page.invoice_ts,
    product.stock_code,
    product.description,
    nullif(customer.customer_id, 'GUEST') AS customer_id,
    page.country,
    page.quantity,
    page.unit_price,
    page.total_amount,
    page.discount_amount,
    page.line_type,
    page.is_sale,
    page.is_return,
    page.data_quality_score,
    page.source_row_id,
    page.batch_id
FROM page
INNER JOIN gold.dim_products AS product ON page.product_key = product.product_key
INNER JOIN gold.dim_customers AS customer ON page.customer_key = customer.customer_key
ORDER BY page.invoice_date, page.sale_key
