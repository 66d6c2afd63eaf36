"""The only place where a column list exists; Arrow schemas, DDL and API shapes derive from these classes."""
