"""Every metric of Stint, each defined once. `docs/reference/metrics.md` is generated from this file.

Names follow Prometheus' rules: base units, `_total` for what only grows. No label holds a session, a user, a prompt or anything else without a
bound; models are those that have a price, reasons are those of the conditions.
"""

from __future__ import annotations

import platform

from prometheus_client import ProcessCollector

from stint import __version__
from stint.telemetry.define import Definitions

QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds: requests and decisions."""
STARTS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 21600.0, 86400.0)
"""Seconds: starts, which may wait for a budget's next day."""
RUNS = (5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0, 21600.0)
"""Seconds: how long agents work."""

controller = Definitions("controller")
admission = Definitions("admission")

# Sessions

SESSIONS = controller.scraped(
    "stint_sessions",
    "AgentSessions that exist, by the phase and, for those that are held (Waiting, Stalled, Suspended), by the reason that their status gives.",
    "phase",
    "reason",
)
WAITING_OLDEST = controller.scraped(
    "stint_session_waiting_oldest_seconds",
    "How long the session has waited that has waited longest, by what it waits for now; no reason: its pod starts, or nobody has looked at it yet.",
    "reason",
)
AGENT_PODS = controller.scraped("stint_agent_pods", "Agent pods that have not ended, by their phase.", "phase")
FINISHED = controller.counter(
    "stint_sessions_finished_total", "Sessions that ended: counted once, when their final status is written.", "outcome", "reason"
)
ATTEMPTS = controller.counter("stint_attempts_total", "Attempts that ended, by how and why.", "outcome", "reason")
ATTEMPTS_ESTIMATED = controller.counter(
    "stint_attempts_estimated_total", "Attempts whose usage could not be read when they ended, or only in part, and was estimated."
)
START = controller.histogram(
    "stint_session_start_seconds",
    "From the creation of a session to its first pod object (stage pod), and to its agent running (stage running), waiting included. "
    "Kubernetes keeps times of creation in whole seconds, so a value may be up to 1 s too high.",
    "stage",
    buckets=STARTS,
)
DURATION = controller.histogram(
    "stint_session_duration_seconds", "How long the agent ran, all attempts of a session that ended together.", "outcome", buckets=RUNS
)
TOKENS = controller.counter(
    "stint_tokens_total",
    "Tokens that attempts used, counted when they end, as their gateways reported them. Estimates for lost reports are not in it.",
    "provider",
    "model",
    "kind",
)
COST = controller.counter(
    "stint_cost_usd_total",
    "USD that attempts used, counted when they end, as their gateways reported it. Estimates for lost reports are not in it.",
    "provider",
    "model",
)

# Budgets

BUDGET_SPENT = controller.scraped(
    "stint_budget_spent", "What an account has spent of a limit inside its window: USD, tokens or sessions.", "budget", "account", "limit", "resource"
)
BUDGET_RESERVED = controller.scraped(
    "stint_budget_reserved", "What is set aside in an account for attempts that run.", "budget", "account", "limit", "resource"
)
BUDGET_LIMIT = controller.scraped(
    "stint_budget_limit", "The most that spent and reserved may be together in an account.", "budget", "account", "limit", "resource"
)
BUDGET_EXHAUSTED = controller.scraped("stint_budget_exhausted_accounts", "Accounts of a budget in which a limit is reached.", "budget")
BUDGET_WAITING = controller.scraped("stint_budget_waiting_sessions", "Sessions that wait for room in a budget.", "budget")

# Providers

CIRCUIT_STATE = controller.scraped(
    "stint_circuit_state",
    "Circuit of a provider: 0 closed, 1 half-open, 2 open. No model: the provider as a whole; no credential: whoever uses it.",
    "provider",
    "model",
    "credential",
)
CIRCUIT_TRANSITIONS = controller.counter("stint_circuit_transitions_total", "Changes of circuits, by the new state.", "provider", "to")
WINDOW_UTILIZATION = controller.scraped(
    "stint_provider_window_utilization_ratio",
    "How much of a rate-limit window of a credential the provider says is used: 1 is all of it.",
    "provider",
    "credential",
    "window",
)

# How the controller works

LEADER = controller.gauge("stint_leader", "1 in the process that decides, 0 in one that stands by.")
RECONCILES = controller.histogram(
    "stint_reconcile_duration_seconds", "Looks at an object, by its kind and what came of it.", "kind", "result", buckets=QUICK
)
RETRIES = controller.counter("stint_reconcile_retries_total", "Looks that have to be repeated, by kind.", "kind")
QUEUE_DEPTH = controller.scraped("stint_queue_depth", "Objects that wait to be looked at, by line: what begins, and bookkeeping.", "line")
QUEUE_OLDEST = controller.scraped("stint_queue_oldest_seconds", "How long the object has waited to be looked at that has waited longest.")
REQUESTS = controller.counter(
    "stint_kubernetes_requests_total", "Requests to the API server. Code none: there was no answer.", "verb", "resource", "code"
)
REQUEST_DURATION = controller.histogram(
    "stint_kubernetes_request_duration_seconds",
    "From a request to the API server to its answer, waiting for a free connection included; watches are not in it.",
    "verb",
    "resource",
    buckets=QUICK,
)
BUILD = controller.gauge("stint_build_info", "Always 1; the labels say what runs.", "version", "python")
BUILD.labels(__version__, platform.python_version()).set(1)

# Admission

ADMISSIONS = admission.counter(
    "stint_admission_requests_total", "What the webhook answered: Allowed, Warned or Denied. No reason: nothing stood against it.",
    "kind", "decision", "reason",
)  # fmt: skip
ADMISSION_DURATION = admission.histogram(
    "stint_admission_duration_seconds", "From the webhook's request to its answer.", "kind", "decision", buckets=QUICK
)
ADMISSION_BUILD = admission.gauge("stint_build_info", "Always 1; the labels say what runs.", "version", "python")
ADMISSION_BUILD.labels(__version__, platform.python_version()).set(1)

for process in (controller, admission):
    ProcessCollector(registry=process.registry)
