-- One row per segment that has customers, largest revenue first.
WITH segments AS (
    SELECT
        rfm.segment,
        max(rfm.as_of) AS as_of,
        count(*) AS customers,
        sum(rfm.monetary) AS revenue,
        avg(rfm.recency_days) AS average_recency_days,
        avg(rfm.frequency) AS average_frequency,
        avg(rfm.monetary) AS average_monetary
    FROM marts.mv_customer_rfm AS rfm
    GROUP BY rfm.segment
),

names AS (
    SELECT
        seed.segment,
        max(seed.description) AS description
    FROM seeds.rfm_segments AS seed
    GROUP BY seed.segment
)

SELECT
    segments.as_of,
    segments.segment,
    names.description,
    segments.customers,
    segments.revenue,
    round(segments.customers / sum(segments.customers) OVER (), 4) AS share_of_customers,
    round(segments.revenue / nullif(sum(segments.revenue) OVER (), 0), 4) AS share_of_revenue,
    round(segments.average_recency_days, 4) AS average_recency_days,
    round(segments.average_frequency, 4) AS average_frequency,
    round(segments.average_monetary, 4) AS average_monetary
FROM segments
LEFT JOIN names ON segments.segment = names.segment
ORDER BY segments.revenue DESC, segments.segment ASC
