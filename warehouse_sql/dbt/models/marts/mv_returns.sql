SELECT
    date_trunc('month', fact.invoice_date::timestamp)::date AS month,
    fact.country,
    product.stock_code,
    count(*) AS return_lines,
    (-sum(fact.quantity))::bigint AS returned_units,
    sum(fact.total_amount)::numeric(20, 4) AS return_value
FROM {{ source('gold', 'fact_sales') }} AS fact
INNER JOIN {{ source('gold', 'dim_products') }} AS product ON fact.product_key = product.product_key
WHERE fact.is_return
GROUP BY fact.country, product.stock_code, date_trunc('month', fact.invoice_date::timestamp)
