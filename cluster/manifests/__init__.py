"""Renders and judges what stands in `kuberay/`, which it reads as files; knows no running cluster."""
