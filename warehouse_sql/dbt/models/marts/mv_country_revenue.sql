-- A line counts for its own country, not its customer's. Grouping by invoice first makes the distinct counts cheap.
WITH by_invoice AS (
    SELECT
        fact.country,
        fact.invoice_no,
        fact.customer_key,
        date_trunc('month', fact.invoice_date::timestamp)::date AS month,
        count(*) AS lines,
        count(*) FILTER (WHERE fact.is_sale) AS sale_lines,
        sum(fact.quantity) FILTER (WHERE fact.is_sale) AS units,
        sum(fact.total_amount) AS net,
        sum(fact.total_amount) FILTER (WHERE fact.is_sale) AS sales_revenue
    FROM {{ source('gold', 'fact_sales') }} AS fact
    GROUP BY
        fact.country, fact.invoice_no, fact.customer_key, date_trunc('month', fact.invoice_date::timestamp)
)

SELECT
    by_invoice.month,
    by_invoice.country,
    sum(by_invoice.lines)::bigint AS lines,
    sum(by_invoice.sale_lines)::bigint AS sale_lines,
    count(DISTINCT by_invoice.invoice_no) FILTER (WHERE by_invoice.sale_lines > 0) AS sale_invoices,
    count(DISTINCT customer.customer_id) FILTER (
        WHERE by_invoice.sale_lines > 0 AND by_invoice.customer_key <> -1
    ) AS customers,
    coalesce(sum(by_invoice.units), 0)::bigint AS units,
    sum(by_invoice.net)::numeric(20, 4) AS net,
    coalesce(sum(by_invoice.sales_revenue), 0)::numeric(20, 4) AS sales_revenue
FROM by_invoice
INNER JOIN {{ source('gold', 'dim_customers') }} AS customer ON by_invoice.customer_key = customer.customer_key
GROUP BY by_invoice.month, by_invoice.country
