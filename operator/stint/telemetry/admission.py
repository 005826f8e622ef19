"""What the admission webhook decides, told by the webhook. Its process serves ``metrics_route(metrics.admission)``."""

from __future__ import annotations

from typing import Literal

from stint.telemetry.metrics import ADMISSION_DURATION, ADMISSIONS

Decision = Literal["Allowed", "Warned", "Denied"]


def admission_decided(kind: str, decision: Decision, reason: str, seconds: float) -> None:
    """One answer. ``kind`` is one of ours; ``reason`` a constant (such as BudgetRejected), empty where nothing stands against the object."""
    ADMISSIONS.labels(kind, decision, reason).inc()
    ADMISSION_DURATION.labels(kind, decision).observe(seconds)
