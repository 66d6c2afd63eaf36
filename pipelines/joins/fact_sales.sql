-- One row per silver line with the keys of its dimensions: the versions of customer and product of the line's day.
-- Lines without a customer are the guest's. sale_key is the lower 63 bits of line_id.
SELECT
    CAST(CONV(SUBSTR(HEX(line.line_id), 17, 8), 16, 10) AS BIGINT) % 2147483648 * 4294967296
    + CAST(CONV(SUBSTR(HEX(line.line_id), 25, 8), 16, 10) AS BIGINT) AS sale_key,
    line.line_id,
    line.invoice_no,
    line.invoice_date,
    line.invoice_ts,
    day_of.date_key,
    COALESCE(customer.customer_key, CAST(:guest_key AS BIGINT)) AS customer_key,
    product.product_key,
    land.country_key,
    line.country,
    line.quantity,
    line.unit_price,
    line.total_amount,
    line.discount_amount,
    line.line_type,
    line.is_sale,
    line.is_return,
    line.data_quality_score,
    line.batch_id,
    line.source_row_id,
    line.ingested_at AS created_at,
    SUBSTR(CAST(line.invoice_date AS STRING), 1, 7) AS invoice_month
FROM silver AS line
LEFT JOIN dim_date AS day_of ON line.invoice_date = day_of.full_date
LEFT JOIN dim_country AS land ON line.country = land.country
LEFT JOIN dim_customers AS customer
    ON
        line.customer_id = customer.customer_id
        AND line.invoice_date BETWEEN customer.valid_from AND customer.valid_to
LEFT JOIN dim_products AS product
    ON
        line.stock_code = product.stock_code
        AND line.invoice_date BETWEEN product.valid_from AND product.valid_to
