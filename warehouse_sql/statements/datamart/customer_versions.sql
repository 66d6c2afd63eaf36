-- One row per version (run of days with one country) of a customer, oldest first.
SELECT
    customer.country,
    customer.valid_from,
    customer.valid_to,
    customer.is_current
FROM gold.dim_customers AS customer
WHERE customer.customer_id = %(customer_id)s::text AND customer.customer_key <> -1
ORDER BY customer.valid_from
