"""The large joins on Spark on Ray, on plain Spark and on the local engine, side by side."""
