INSERT INTO ops.publications (
    data_version, published_at, run_id, tables, changed_dates, changed_product_keys, changed_customer_keys
)
VALUES (
    (SELECT coalesce(max(data_version), 0) + 1 FROM ops.publications),
    clock_timestamp(),
    %(run_id)s,
    %(tables)s::jsonb,
    %(dates)s::date[],
    %(products)s::bigint[],
    %(customers)s::bigint[]
)
RETURNING data_version
