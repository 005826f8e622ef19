"""Talking to a Kubernetes API server. Nothing in this package knows Stint's kinds."""
