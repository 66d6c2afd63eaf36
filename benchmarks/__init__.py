"""Ratios measured side by side; each folder is one command that writes its table into docs/benchmarks.md."""
