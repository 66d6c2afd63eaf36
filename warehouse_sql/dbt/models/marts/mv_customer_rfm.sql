WITH by_invoice AS (
    SELECT
        fact.customer_key,
        fact.invoice_no,
        max(fact.invoice_date) AS last_day,
        sum(fact.total_amount) AS revenue
    FROM {{ source('gold', 'fact_sales') }} AS fact
    WHERE fact.is_sale AND fact.customer_key <> -1
    GROUP BY fact.customer_key, fact.invoice_no
),

last_published AS (
    SELECT max(fact.invoice_date) AS day FROM {{ source('gold', 'fact_sales') }} AS fact
),

customers AS (
    SELECT
        customer.customer_id,
        max(by_invoice.last_day) AS last_day,
        count(DISTINCT by_invoice.invoice_no) AS frequency,
        sum(by_invoice.revenue) AS monetary
    FROM by_invoice
    INNER JOIN {{ source('gold', 'dim_customers') }} AS customer ON by_invoice.customer_key = customer.customer_key
    GROUP BY customer.customer_id
),

-- Whole numbers, so that customers who are alike get one score on every machine.
scored AS (
    SELECT
        customers.customer_id,
        last_published.day + 1 AS as_of,
        last_published.day + 1 - customers.last_day AS recency_days,
        customers.frequency,
        customers.monetary,
        1 + 5 * (rank() OVER (ORDER BY customers.last_day) - 1) / count(*) OVER () AS recency_score,
        1 + 5 * (rank() OVER (ORDER BY customers.frequency) - 1) / count(*) OVER () AS frequency_score,
        1 + 5 * (rank() OVER (ORDER BY customers.monetary) - 1) / count(*) OVER () AS monetary_score
    FROM customers
    CROSS JOIN last_published
)

SELECT
    scored.customer_id,
    scored.as_of,
    scored.recency_days,
    scored.frequency,
    scored.monetary::numeric(20, 4) AS monetary,
    scored.recency_score::smallint AS recency_score,
    scored.frequency_score::smallint AS frequency_score,
    scored.monetary_score::smallint AS monetary_score,
    named.segment
-- An outer join, so that a gap in the seed fails a test instead of losing customers.
FROM scored
LEFT JOIN {{ ref('rfm_segments') }} AS named
    ON scored.recency_score = named.recency_score AND scored.frequency_score = named.frequency_score
