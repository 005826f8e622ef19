"""Benchmarks: what the controller costs and how fast it is, measured beside something that everybody knows. See run.py."""
