-- Versions of a product are added up before their codes are looked up.
WITH versions AS (
    SELECT
        fact.product_key,
        date_trunc('month', fact.invoice_date::timestamp)::date AS month,
        count(*) AS lines,
        count(*) FILTER (WHERE fact.is_sale) AS sale_lines,
        sum(fact.quantity) FILTER (WHERE fact.is_sale) AS units,
        sum(fact.total_amount) AS net,
        sum(fact.total_amount) FILTER (WHERE fact.is_sale) AS sales_revenue,
        count(*) FILTER (WHERE fact.is_return) AS return_lines,
        -sum(fact.quantity) FILTER (WHERE fact.is_return) AS returned_units
    FROM {{ source('gold', 'fact_sales') }} AS fact
    GROUP BY fact.product_key, date_trunc('month', fact.invoice_date::timestamp)
)

SELECT
    versions.month,
    product.stock_code,
    sum(versions.lines)::bigint AS lines,
    sum(versions.sale_lines)::bigint AS sale_lines,
    coalesce(sum(versions.units), 0)::bigint AS units,
    sum(versions.net)::numeric(20, 4) AS net,
    coalesce(sum(versions.sales_revenue), 0)::numeric(20, 4) AS sales_revenue,
    sum(versions.return_lines)::bigint AS return_lines,
    coalesce(sum(versions.returned_units), 0)::bigint AS returned_units
FROM versions
INNER JOIN {{ source('gold', 'dim_products') }} AS product ON versions.product_key = product.product_key
GROUP BY versions.month, product.stock_code
