-- One row: the totals of all lines. Grouping by invoice first makes every distinct count cheap.
WITH by_invoice AS (
    SELECT
        fact.invoice_no,
        count(*) AS lines,
        count(*) FILTER (WHERE fact.is_sale) AS sale_lines,
        count(*) FILTER (WHERE fact.customer_key = -1) AS guest_lines,
        count(*) FILTER (WHERE fact.is_return) AS return_lines,
        count(*) FILTER (WHERE fact.line_type = 'adjustment') AS adjustment_lines,
        sum(fact.total_amount) AS net,
        sum(fact.total_amount) FILTER (WHERE fact.is_sale) AS sales_revenue,
        sum(fact.data_quality_score) AS score,
        min(fact.invoice_date) AS first_date,
        max(fact.invoice_date) AS last_date
    FROM gold.fact_sales AS fact
    GROUP BY fact.invoice_no
),

named_customers AS (
    SELECT count(DISTINCT customer.customer_id) AS customers
    FROM (SELECT DISTINCT fact.customer_key FROM gold.fact_sales AS fact) AS bought
    INNER JOIN gold.dim_customers AS customer ON bought.customer_key = customer.customer_key
    WHERE bought.customer_key <> -1
),

sold_products AS (
    SELECT count(DISTINCT product.stock_code) AS products
    FROM (SELECT DISTINCT fact.product_key FROM gold.fact_sales AS fact) AS sold
    INNER JOIN gold.dim_products AS product ON sold.product_key = product.product_key
)

SELECT
    coalesce(sum(by_invoice.net), 0) AS net,
    coalesce(sum(by_invoice.sales_revenue), 0) AS sales_revenue,
    coalesce(sum(by_invoice.lines), 0)::bigint AS lines,
    coalesce(sum(by_invoice.sale_lines), 0)::bigint AS sale_lines,
    count(*) AS invoices,
    count(*) FILTER (WHERE by_invoice.sale_lines > 0) AS sale_invoices,
    (SELECT named_customers.customers FROM named_customers) AS customers,
    (SELECT sold_products.products FROM sold_products) AS products,
    coalesce(sum(by_invoice.guest_lines), 0)::bigint AS guest_lines,
    coalesce(sum(by_invoice.lines) FILTER (WHERE by_invoice.invoice_no LIKE 'C%%'), 0)::bigint
        AS cancelled_lines,
    coalesce(sum(by_invoice.return_lines), 0)::bigint AS return_lines,
    coalesce(sum(by_invoice.adjustment_lines), 0)::bigint AS adjustment_lines,
    min(by_invoice.first_date) AS first_date,
    max(by_invoice.last_date) AS last_date,
    round(sum(by_invoice.score) / sum(by_invoice.lines), 4) AS average_quality_score
FROM by_invoice
