-- One row per stock code, largest net first, after the position (after_net, after_code).
WITH versions AS (
    SELECT
        fact.product_key,
        sum(fact.total_amount) AS net,
        sum(fact.total_amount) FILTER (WHERE fact.is_sale) AS sales_revenue,
        count(*) AS line_count,
        count(*) FILTER (WHERE fact.is_sale) AS sale_line_count,
        sum(fact.quantity) FILTER (WHERE fact.is_sale) AS unit_count,
        count(*) FILTER (WHERE fact.is_return) AS return_line_count,
        -sum(fact.quantity) FILTER (WHERE fact.is_return) AS returned_unit_count
    FROM gold.fact_sales AS fact
    GROUP BY fact.product_key
),

products AS (
    SELECT
        product.stock_code,
        max(product.description) FILTER (WHERE product.is_current) AS description,
        sum(versions.net) AS net,
        coalesce(sum(versions.sales_revenue), 0) AS sales_revenue,
        sum(versions.line_count)::bigint AS line_count,
        sum(versions.sale_line_count)::bigint AS sale_line_count,
        coalesce(sum(versions.unit_count), 0)::bigint AS unit_count,
        sum(versions.return_line_count)::bigint AS return_line_count,
        coalesce(sum(versions.returned_unit_count), 0)::bigint AS returned_unit_count
    FROM gold.dim_products AS product
    LEFT JOIN versions ON product.product_key = versions.product_key
    GROUP BY product.stock_code
    -- A version may stand without lines for a while; a product without any is none of the mart.
    HAVING count(versions.product_key) > 0
)

SELECT
    products.stock_code,
    products.description,
    products.net,
    products.sales_revenue,
    products.line_count,
    products.sale_line_count,
    products.unit_count,
    products.return_line_count,
    products.returned_unit_count
FROM products
WHERE
    %(after_net)s::numeric IS NULL
    OR products.net < %(after_net)s::numeric
    OR (products.net = %(after_net)s::numeric AND products.stock_code > %(after_code)s::text)
ORDER BY products.net DESC, products.stock_code ASC
LIMIT %(limit)s::bigint
