-- One row per stock code, largest net first, after the position (after_net, after_code).
WITH versions AS (
    SELECT
        fact.product_key,
        sum(fact.total_amount) AS net,
        sum(fact.total_amount) FILTER (WHERE fact.is_sale) AS sales_revenue,
        count(*) AS lines,
        count(*) FILTER (WHERE fact.is_sale) AS sale_lines,
        sum(fact.quantity) FILTER (WHERE fact.is_sale) AS units,
        count(*) FILTER (WHERE fact.is_return) AS return_lines,
        -sum(fact.quantity) FILTER (WHERE fact.is_return) AS returned_units
    FROM gold.fact_sales AS fact
    GROUP BY fact.product_key
),

products AS (
    SELECT
        product.stock_code,
        max(product.description) FILTER (WHERE product.is_current) AS description,
        sum(versions.net) AS net,
        coalesce(sum(versions.sales_revenue), 0) AS sales_revenue,
        sum(versions.lines)::bigint AS lines,
        sum(versions.sale_lines)::bigint AS sale_lines,
        coalesce(sum(versions.units), 0)::bigint AS units,
        sum(versions.return_lines)::bigint AS return_lines,
        coalesce(sum(versions.returned_units), 0)::bigint AS returned_units
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
    products.lines,
    products.sale_lines,
    products.units,
    products.return_lines,
    products.returned_units
FROM products
WHERE
    %(after_net)s::numeric IS NULL
    OR products.net < %(after_net)s::numeric
    OR (products.net = %(after_net)s::numeric AND products.stock_code > %(after_code)s::text)
ORDER BY products.net DESC, products.stock_code ASC
LIMIT %(limit)s::bigint
