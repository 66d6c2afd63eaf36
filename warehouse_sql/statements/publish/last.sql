SELECT
    data_version,
    published_at,
    tables
FROM ops.publications
ORDER BY data_version DESC
LIMIT 1
