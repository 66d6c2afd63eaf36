-- One row per customer who is named, largest net first, after the position (after_net, after_customer);
-- with customer_id bound, that one customer. Guests are left out.
WITH by_invoice AS (
    SELECT
        fact.customer_key,
        fact.invoice_no,
        count(*) AS lines,
        count(*) FILTER (WHERE fact.is_sale) AS sale_lines,
        sum(fact.total_amount) AS net,
        sum(fact.total_amount) FILTER (WHERE fact.is_sale) AS sales_revenue,
        sum(fact.quantity) FILTER (WHERE fact.is_sale) AS units,
        min(fact.invoice_date) FILTER (WHERE fact.is_sale) AS first_purchase_date,
        max(fact.invoice_date) FILTER (WHERE fact.is_sale) AS last_purchase_date
    FROM gold.fact_sales AS fact
    WHERE
        fact.customer_key <> -1
        AND (
            %(customer_id)s::text IS NULL
            OR fact.customer_key = any(
                array(
                    SELECT version.customer_key
                    FROM gold.dim_customers AS version
                    WHERE version.customer_id = %(customer_id)s::text
                )
            )
        )
    GROUP BY fact.customer_key, fact.invoice_no
),

customers AS (
    SELECT
        customer.customer_id,
        count(DISTINCT by_invoice.invoice_no) FILTER (WHERE by_invoice.sale_lines > 0) AS orders,
        sum(by_invoice.net) AS net,
        coalesce(sum(by_invoice.sales_revenue), 0) AS sales_revenue,
        sum(by_invoice.lines)::bigint AS lines,
        coalesce(sum(by_invoice.units), 0)::bigint AS units,
        min(by_invoice.first_purchase_date) AS first_purchase_date,
        max(by_invoice.last_purchase_date) AS last_purchase_date
    FROM by_invoice
    INNER JOIN gold.dim_customers AS customer ON by_invoice.customer_key = customer.customer_key
    GROUP BY customer.customer_id
)

SELECT
    customers.customer_id,
    current_version.country,
    customers.orders,
    customers.net,
    customers.sales_revenue,
    customers.lines,
    customers.units,
    customers.first_purchase_date,
    customers.last_purchase_date
FROM customers
INNER JOIN gold.dim_customers AS current_version
    ON customers.customer_id = current_version.customer_id AND current_version.is_current
WHERE
    %(after_net)s::numeric IS NULL
    OR customers.net < %(after_net)s::numeric
    OR (customers.net = %(after_net)s::numeric AND customers.customer_id > %(after_customer)s::text)
ORDER BY customers.net DESC, customers.customer_id ASC
LIMIT %(limit)s::bigint
