-- One row: the totals of all lines. Grouping by invoice first makes every distinct count cheap.
WITH invoices AS (
    SELECT
        fact.invoice_no,
        count(*) AS line_count,
        count(*) FILTER (WHERE fact.is_sale) AS sale_line_count,
        count(*) FILTER (WHERE fact.customer_key = -1) AS guest_line_count,
        count(*) FILTER (WHERE fact.is_return) AS return_line_count,
        count(*) FILTER (WHERE fact.line_type = 'adjustment') AS adjustment_line_count,
        sum(fact.total_amount) AS net,
        sum(fact.total_amount) FILTER (WHERE fact.is_sale) AS sales_revenue,
        sum(fact.data_quality_score) AS score,
        min(fact.invoice_date) AS first_date,
        max(fact.invoice_date) AS last_date
    FROM gold.fact_sales AS fact
    GROUP BY fact.invoice_no
),

customers AS (
    SELECT count(DISTINCT customer.customer_id) AS customer_count
    FROM (SELECT DISTINCT fact.customer_key FROM gold.fact_sales AS fact) AS bought
    INNER JOIN gold.dim_customers AS customer ON bought.customer_key = customer.customer_key
    WHERE bought.customer_key <> -1
),

products AS (
    SELECT count(DISTINCT product.stock_code) AS product_count
    FROM (SELECT DISTINCT fact.product_key FROM gold.fact_sales AS fact) AS sold
    INNER JOIN gold.dim_products AS product ON sold.product_key = product.product_key
)

SELECT
    coalesce(sum(invoices.net), 0) AS net,
    coalesce(sum(invoices.sales_revenue), 0) AS sales_revenue,
    coalesce(sum(invoices.line_count), 0)::bigint AS line_count,
    coalesce(sum(invoices.sale_line_count), 0)::bigint AS sale_line_count,
    count(*) AS invoice_count,
    count(*) FILTER (WHERE invoices.sale_line_count > 0) AS sale_invoice_count,
    (SELECT customers.customer_count FROM customers) AS customer_count,
    (SELECT products.product_count FROM products) AS product_count,
    coalesce(sum(invoices.guest_line_count), 0)::bigint AS guest_line_count,
    coalesce(sum(invoices.line_count) FILTER (WHERE invoices.invoice_no LIKE 'C%%'), 0)::bigint
        AS cancelled_line_count,
    coalesce(sum(invoices.return_line_count), 0)::bigint AS return_line_count,
    coalesce(sum(invoices.adjustment_line_count), 0)::bigint AS adjustment_line_count,
    min(invoices.first_date) AS first_date,
    max(invoices.last_date) AS last_date,
    round(sum(invoices.score) / sum(invoices.line_count), 4) AS average_quality_score
FROM invoices
