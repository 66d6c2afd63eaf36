"""Version 1 of the API: read-only sales and datamart."""
