SELECT partition_name
FROM unnest(%(names)s::text[]) AS partition_name
WHERE to_regclass(partition_name) IS NULL
