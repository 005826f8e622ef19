"""Tests on a real Kubernetes with the real CLI: see conftest.py."""
