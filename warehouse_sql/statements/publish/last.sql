SELECT
    data_version,
    tables
FROM ops.publications
ORDER BY data_version DESC
LIMIT 1
