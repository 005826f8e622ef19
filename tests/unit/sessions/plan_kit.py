"""What the tests of `plan` have in common."""

from __future__ import annotations

from simulation import pod_status
from unit.sessions.builders import ended_pod

ALL = ["networkpolicies", "persistentvolumeclaims", "pods"]
DONE = ended_pod(pod_status.result(text="done"), pod_status.report())
FAILED = ended_pod(pod_status.failure("AuthFailed", "the key is wrong"), pod_status.report())
RETRY = "2026-11-21T09:59:00Z"
