-- One row per two products (code_a < code_b) that share at least :min_support of the baskets. A basket is the distinct
-- products of an invoice's sale lines; an invoice with more than :max_products counts nowhere.
WITH items AS (
    SELECT DISTINCT
        fact.invoice_no,
        product.stock_code
    FROM fact_sales AS fact
    INNER JOIN dim_products AS product ON fact.product_key = product.product_key
    WHERE fact.is_sale AND fact.line_type = 'sale'
),

baskets AS (
    SELECT invoice_no
    FROM items
    GROUP BY invoice_no
    HAVING COUNT(*) <= :max_products
),

total AS (
    SELECT COUNT(*) AS baskets
    FROM baskets
),

kept AS (
    SELECT
        items.invoice_no,
        items.stock_code
    FROM items
    INNER JOIN baskets ON items.invoice_no = baskets.invoice_no
),

-- A product below the support can be in no pair that reaches it.
products AS (
    SELECT
        kept.stock_code,
        COUNT(*) AS in_baskets
    FROM kept
    CROSS JOIN total
    GROUP BY kept.stock_code, total.baskets
    HAVING COUNT(*) >= CAST(:min_support AS DECIMAL(20, 10)) * total.baskets
),

frequent AS (
    SELECT
        kept.invoice_no,
        kept.stock_code
    FROM kept
    INNER JOIN products ON kept.stock_code = products.stock_code
),

pairs AS (
    SELECT
        a.stock_code AS code_a,
        b.stock_code AS code_b,
        COUNT(*) AS together
    FROM frequent AS a
    INNER JOIN frequent AS b ON a.invoice_no = b.invoice_no AND a.stock_code < b.stock_code
    GROUP BY a.stock_code, b.stock_code
)

SELECT
    pairs.code_a,
    pairs.code_b,
    CAST(pairs.together AS BIGINT) AS pair_count,
    CAST(a.in_baskets AS BIGINT) AS a_count,
    CAST(b.in_baskets AS BIGINT) AS b_count,
    CAST(total.baskets AS BIGINT) AS total_count
FROM pairs
INNER JOIN products AS a ON pairs.code_a = a.stock_code
INNER JOIN products AS b ON pairs.code_b = b.stock_code
CROSS JOIN total
WHERE pairs.together >= CAST(:min_support AS DECIMAL(20, 10)) * total.baskets
