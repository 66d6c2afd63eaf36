-- Opens a reading: bounds every later statement of the transaction, and gives the last publication (nulls: none yet).
WITH last_publication AS (
    SELECT
        publication.data_version,
        publication.published_at
    FROM ops.publications AS publication
    ORDER BY publication.data_version DESC
    LIMIT 1
)

SELECT
    last_publication.data_version,
    last_publication.published_at,
    set_config('statement_timeout', %(timeout_ms)s::text, true) AS statement_timeout
FROM (VALUES (1)) AS one_row (one) -- noqa: ST11
LEFT JOIN last_publication ON true
