-- The invoice line with this id, or no row. sale_key is the lower 63 bits of the id and leads the primary key.
SELECT
    fact.sale_key,
    fact.line_id,
    fact.invoice_no,
    fact.invoice_date,
    fact.invoice_ts,
    product.stock_code,
    product.description,
    nullif(customer.customer_id, 'GUEST') AS customer_id,
    fact.country,
    fact.quantity,
    fact.unit_price,
    fact.total_amount,
    fact.discount_amount,
    fact.line_type,
    fact.is_sale,
    fact.is_return,
    fact.data_quality_score,
    fact.source_row_id,
    fact.batch_id
FROM gold.fact_sales AS fact
INNER JOIN gold.dim_products AS product ON fact.product_key = product.product_key
INNER JOIN gold.dim_customers AS customer ON fact.customer_key = customer.customer_key
WHERE fact.sale_key = %(sale_key)s::bigint AND fact.line_id = %(line_id)s::uuid
