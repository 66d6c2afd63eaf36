"""The marts: `deploy` brings their definitions from dbt to the warehouse, `refresh` their content, within publish."""
