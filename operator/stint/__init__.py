"""Stint runs fleets of Claude Code sessions as Kubernetes custom resources."""

__version__ = "0.1.0"
