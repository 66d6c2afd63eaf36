-- One row: how many invoices count as baskets, how many are left out as too large, and how many
-- ordered pairs of products they hold: twice Σ n(n−1)/2.
WITH items AS (
    SELECT DISTINCT
        fact.invoice_no,
        product.stock_code
    FROM fact_sales AS fact
    INNER JOIN dim_products AS product ON fact.product_key = product.product_key
    WHERE fact.is_sale AND fact.line_type = 'sale'
),

sizes AS (
    SELECT
        invoice_no,
        COUNT(*) AS products
    FROM items
    GROUP BY invoice_no
)

SELECT
    CAST(COALESCE(SUM(CASE WHEN products <= :max_products THEN 1 ELSE 0 END), 0) AS BIGINT) AS baskets,
    CAST(COALESCE(SUM(CASE WHEN products > :max_products THEN 1 ELSE 0 END), 0) AS BIGINT) AS left_out,
    CAST(COALESCE(SUM(CASE WHEN products <= :max_products THEN products * (products - 1) ELSE 0 END), 0) AS BIGINT)
        AS ordered_pairs
FROM sizes
