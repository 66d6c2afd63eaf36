-- One row per stock code that has lines, largest net first, after the position (after_net, after_code).
-- The mart's months are sums over lines, so adding them up is exact.
WITH products AS (
    SELECT
        revenue.stock_code,
        sum(revenue.net) AS net,
        sum(revenue.sales_revenue) AS sales_revenue,
        sum(revenue.lines)::bigint AS lines,
        sum(revenue.sale_lines)::bigint AS sale_lines,
        sum(revenue.units)::bigint AS units,
        sum(revenue.return_lines)::bigint AS return_lines,
        sum(revenue.returned_units)::bigint AS returned_units
    FROM marts.mv_product_revenue AS revenue
    GROUP BY revenue.stock_code
)

SELECT
    products.stock_code,
    current_version.description,
    products.net,
    products.sales_revenue,
    products.lines,
    products.sale_lines,
    products.units,
    products.return_lines,
    products.returned_units
FROM products
LEFT JOIN gold.dim_products AS current_version
    ON products.stock_code = current_version.stock_code AND current_version.is_current
WHERE
    %(after_net)s::numeric IS NULL
    OR products.net < %(after_net)s::numeric
    OR (products.net = %(after_net)s::numeric AND products.stock_code > %(after_code)s::text)
ORDER BY products.net DESC, products.stock_code ASC
LIMIT %(limit)s::bigint
