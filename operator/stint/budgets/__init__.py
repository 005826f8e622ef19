"""Budgets: who may start, and what everybody has used.

::

    session ──▶ which budgets count it (selection) ──▶ its account in each of them (account)
                                                              │
         ask, admit ──▶ spent + reserved + request ≤ limit? ──┤ yes: reserved      ──▶ commit, then the pod (commits)
                                                              │ no:  it waits      ──▶ queue
         settle     ──▶ reserved becomes spent ───────────────┤       (spent, windows, rate: what counts at this moment)
         carry      ──▶ the session goes, its usage stays ────┘       (carry)

`Ledger` is a fold over sessions: the same sessions always give the same sums, so it is rebuilt from the cluster at every start. Nothing here knows
the client, Kopf, the event loop or the clock; the time is always a parameter.
"""
