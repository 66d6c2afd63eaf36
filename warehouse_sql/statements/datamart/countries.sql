-- One row per country that has lines, largest net first. A line counts for its own country, not its customer's.
WITH invoices AS (
    SELECT
        fact.country_key,
        fact.invoice_no,
        fact.customer_key,
        count(*) AS line_count,
        count(*) FILTER (WHERE fact.is_sale) AS sale_line_count,
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
    sum(invoices.line_count)::bigint AS line_count,
    sum(invoices.sale_line_count)::bigint AS sale_line_count,
    count(DISTINCT invoices.invoice_no) FILTER (WHERE invoices.sale_line_count > 0) AS sale_invoice_count,
    count(DISTINCT customer.customer_id) FILTER (WHERE invoices.customer_key <> -1) AS customer_count,
    sum(invoices.net) AS net,
    coalesce(sum(invoices.sales_revenue), 0) AS sales_revenue
FROM invoices
INNER JOIN gold.dim_country AS country ON invoices.country_key = country.country_key
INNER JOIN gold.dim_customers AS customer ON invoices.customer_key = customer.customer_key
GROUP BY country.country_key
ORDER BY net DESC, country.country ASC
