"""The joins that outgrow one process: each in SQL that Spark and DuckDB run, the engine chosen by measured size."""
