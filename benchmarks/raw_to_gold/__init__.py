"""Raw CSV to gold: the platform against one hand-written Polars script that makes the same tables."""
