"""The audit log: every write to the API as one JSON line, who made it and to what, never its content.

Benchmarks count writes per user with it. Leases are left out: heartbeats of idle components would drown the rest.
"""

import json
from pathlib import Path

POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted"],
    "rules": [
        {"level": "None", "resources": [{"group": "coordination.k8s.io", "resources": ["leases"]}]},
        {"level": "Metadata", "verbs": ["create", "update", "patch", "delete", "deletecollection"]},
        {"level": "None"},
    ],
}


def log_file(state: Path) -> Path:
    """Where the API server writes; lines appear up to a second late."""
    return state / "audit.log"


def flags(state: Path) -> list[str]:
    """Write the policy; the API server's flags for it."""
    policy = state / "audit-policy.json"
    policy.write_text(json.dumps(POLICY, indent=1))
    return [
        f"--audit-policy-file={policy}",
        f"--audit-log-path={log_file(state)}",
        "--audit-log-mode=batch",
        "--audit-log-batch-max-wait=1s",
        "--audit-log-maxsize=2000",
    ]
