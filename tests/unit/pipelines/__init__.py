"""Tests of the data pipelines."""
