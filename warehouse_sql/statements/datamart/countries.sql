-- One row per country that has lines, largest net first. A line counts for its own country, not its customer's.
WITH by_invoice AS (
    SELECT
        fact.country_key,
        fact.invoice_no,
        fact.customer_key,
        count(*) AS lines,
        count(*) FILTER (WHERE fact.is_sale) AS sale_lines,
        sum(fact.total_amount) AS net,
        sum(fact.total_amount) FILTER (WHERE fact.is_sale) AS sales_revenue
    FROM gold.fact_sales AS fact
    GROUP BY fact.country_key, fact.invoice_no, fact.customer_key
)

SELECT
    country.country,
    country.iso_alpha2,
    country.iso_alpha3,
    country.region,
    sum(by_invoice.lines)::bigint AS lines,
    sum(by_invoice.sale_lines)::bigint AS sale_lines,
    count(DISTINCT by_invoice.invoice_no) FILTER (WHERE by_invoice.sale_lines > 0) AS sale_invoices,
    count(DISTINCT customer.customer_id) FILTER (WHERE by_invoice.customer_key <> -1) AS customers,
    sum(by_invoice.net) AS net,
    coalesce(sum(by_invoice.sales_revenue), 0) AS sales_revenue
FROM by_invoice
INNER JOIN gold.dim_country AS country ON by_invoice.country_key = country.country_key
INNER JOIN gold.dim_customers AS customer ON by_invoice.customer_key = customer.customer_key
GROUP BY country.country_key
ORDER BY net DESC, country.country ASC
