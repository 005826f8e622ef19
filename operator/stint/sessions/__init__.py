"""AgentSession: one Claude Code session, run once to an end.

::

    created ──▶ holds? ──no──▶ pod of attempt n ──▶ Running ──▶ pod ends ──▶ settled ──▶ Succeeded | Failed
                  ▲ yes: Waiting / Stalled / Suspended                          │
                  └──────────────── retry after backoff, or resume ◀────────────┘

Where to read: `plan.py` is the order of decisions; `holds.py` why a session does not start; `ending.py` how an attempt ended; `settlement.py` what
that does to the status; `conditions.py` the words; `pod/` the manifest.
"""
