-- Opens a reading: bounds every later statement of the transaction, and gives the last publication (nulls: none yet).
SELECT
    set_config('statement_timeout', %(timeout_ms)s::text, true) AS timeout,
    last_publication.data_version,
    last_publication.published_at
FROM (SELECT 1) AS always
LEFT JOIN (
    SELECT
        publication.data_version,
        publication.published_at
    FROM ops.publications AS publication
    ORDER BY publication.data_version DESC
    LIMIT 1
) AS last_publication ON true
